// SPDX-License-Identifier: GPL-2.0-or-later
/* kab-workload: loads that a kernel is measured under. See kab-workload(1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "output.h"
#include "params.h"
#include "workload.h"

/* The linker's names for the section that WORKLOAD() fills. */
extern const struct workload *const __start_kab_workloads[], *const __stop_kab_workloads[];

/* The @i-th workload by name; NULL: there are fewer. */
static const struct workload *workload_at(unsigned i)
{
	const struct workload *const *w, *const *other;

	for (w = __start_kab_workloads; w < __stop_kab_workloads; w++) {
		unsigned before = 0;

		for (other = __start_kab_workloads; other < __stop_kab_workloads; other++)
			before += strcmp((*other)->name, (*w)->name) < 0;
		if (before == i)
			return *w;
	}
	return NULL;
}

static const struct workload *workload_find(const char *name, struct error *err)
{
	const struct workload *w;
	char names[300] = "";
	size_t len = 0;

	for (unsigned i = 0; (w = workload_at(i)); i++) {
		if (!strcmp(w->name, name))
			return w;
		if (len < sizeof(names))
			len += snprintf(
				names + len, sizeof(names) - len, "%s%s", i ? ", " : "", w->name);
	}
	error_set(err, STATUS_USAGE, "%s: no such workload; there are %s", name, names);
	return NULL;
}

static int verb_list(int argc, char **argv, struct error *err)
{
	const struct workload *w;

	if (argc)
		return error_set(err, STATUS_USAGE, "list %s: expected nothing more", argv[0]);
	for (unsigned i = 0; (w = workload_at(i)); i++)
		output_summary(stdout, w);
	return 0;
}

static int describe(const struct workload *w, bool json, bool first, struct error *err)
{
	struct params params;

	if (params_init(&params, w, err))
		return -1;
	if (json) {
		fputs(first ? "[" : ",\n", stdout);
		output_catalog_entry(stdout, w, &params);
	} else {
		fputs(first ? "" : "\n", stdout);
		output_description(stdout, w, &params);
	}
	return 0;
}

/* Those named, or all. */
static int verb_describe(int argc, char **argv, struct error *err)
{
	bool json = argc && !strcmp(argv[0], "--json");
	const struct workload *w;

	argc -= json;
	argv += json;
	for (int i = 0; i < argc; i++)
		if (!workload_find(argv[i], err))
			return -1;
	for (int i = 0; i < argc; i++)
		if (describe(workload_find(argv[i], err), json, i == 0, err))
			return -1;
	for (unsigned i = 0; !argc && (w = workload_at(i)); i++)
		if (describe(w, json, i == 0, err))
			return -1;
	if (json)
		fputs("]\n", stdout);
	return 0;
}

static int verb_run(int argc, char **argv, struct error *err)
{
	const struct workload *w;
	struct params params;
	struct result res;

	if (!argc)
		return error_set(err, STATUS_USAGE, "run: expected the name of a workload");
	w = workload_find(argv[0], err);
	if (!w || params_init(&params, w, err) || params_parse(&params, argc - 1, argv + 1, err) ||
		engine_run(w, &params, &res, err))
		return -1;
	output_result(stdout, &params, &res);
	return 0;
}

static int verb_help(int argc, char **argv, struct error *err);

static const struct {
	const char *name, *synopsis;
	int (*run)(int argc, char **argv, struct error *err);
} verbs[] = {
	{"list", "list", verb_list},
	{"describe", "describe [--json] [NAME ...]", verb_describe},
	{"run", "run NAME [--parameter VALUE ...]", verb_run},
	{"--help", "--help", verb_help},
};

static int verb_help(int argc, char **argv, struct error *err)
{
	if (argc)
		return error_set(err, STATUS_USAGE, "--help %s: expected nothing more", argv[0]);
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("%s kab-workload %s\n", i ? "      " : "usage:", verbs[i].synopsis);
	return 0;
}

static int run_verb(int argc, char **argv, struct error *err)
{
	if (argc < 2)
		return error_set(err, STATUS_USAGE, "expected list, describe, run or --help");
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 2, argv + 2, err);
	return error_set(err, STATUS_USAGE, "%s: expected list, describe, run or --help", argv[1]);
}

int main(int argc, char **argv)
{
	struct error err = {.status = STATUS_OK};

	if (!run_verb(argc, argv, &err) && fflush(stdout))
		error_set(&err, STATUS_FAILED, "standard output: %s", strerror(errno));
	if (err.status != STATUS_OK)
		fprintf(stderr, "kab-workload: %s\n", err.text);
	return err.status;
}
