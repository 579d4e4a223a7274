// SPDX-License-Identifier: GPL-2.0-or-later
/* Which run is meant where none is named. Only run.json is read, and no lock is taken. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"
#include "util.h"

bool store_finished(const json_t *run)
{
	const char *state = json_string_value(json_object_get(run, "state"));

	return state && !strcmp(state, "finished");
}

/* run.json of @path if this kab can read it, else NULL. */
static json_t *peek(const char *path)
{
	__free_char char *file = xasprintf("%s/run.json", path);
	json_t *run = json_load_file(file, 0, NULL);

	if (run && json_integer_value(json_object_get(run, "schema")) == STORE_SCHEMA)
		return run;
	json_decref(run);
	return NULL;
}

static json_int_t age_key(const json_t *run)
{
	const json_t *finished = json_object_get(run, "finished_ns");

	return json_integer_value(finished ? finished : json_object_get(run, "created_ns"));
}

/*
 * The next run in @results that this kab can read: its folder, whose owner is the caller, and run.json. @dir is @results,
 * open, or NULL; when there is no run left it is closed, and NULL returned.
 */
static char *next_run(DIR *dir, const char *results, json_t **run)
{
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path = xasprintf("%s/%s", results, entry->d_name);

		*run = entry->d_name[0] == '.' ? NULL : peek(path);
		if (*run)
			return path;
		free(path);
	}
	if (dir)
		closedir(dir);
	return NULL;
}

char *store_find(const char *results, store_match *match, void *arg)
{
	json_int_t best_key = -1;
	char *best = NULL, *path;
	DIR *dir = opendir(results);
	json_t *run;

	while ((path = next_run(dir, results, &run))) {
		if (strcmp(strrchr(path, '/'), "/reference") && age_key(run) > best_key && match(arg, run)) {
			best_key = age_key(run);
			free(best);
			best = xstrdup(path);
		}
		json_decref(run);
		free(path);
	}
	return best;
}

static bool is_finished(void *arg, const json_t *run)
{
	(void)arg;
	return store_finished(run);
}

char *store_find_newest(const char *results)
{
	/* In a clone, and as it is installed: no results/ there, which would be where root's runs go. */
	static const char *const places[] = {"results/reference", "reference"};
	char *path = store_find(results, is_finished, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(places) && !path; i++) {
		json_t *run;

		path = xasprintf("%s/%s", kab_home(), places[i]);
		run = peek(path);
		if (!run) {
			free(path);
			path = NULL;
		}
		json_decref(run);
	}
	return path;
}

static int by_beginning(const void *left, const void *right)
{
	json_int_t a = json_integer_value(json_object_get(*(json_t *const *)left, "created_ns"));
	json_int_t b = json_integer_value(json_object_get(*(json_t *const *)right, "created_ns"));

	return (a > b) - (a < b);
}

/* What @run is and how it stands, from run.json alone. */
static json_t *entry_of(const json_t *run)
{
	static const char *const kept[] = {"run", "name", "state", "created", "finished"};
	json_t *o = json_object(), *executor = json_object_get(json_object_get(run, "env"), "executor");

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (json_object_get(run, kept[i]))
			json_object_set(o, kept[i], json_object_get(run, kept[i]));
	if (executor)
		json_object_set(o, "executor", executor);
	return o;
}

json_t *store_list(const char *results)
{
	json_t *list = json_array(), **runs = NULL, *run;
	DIR *dir = opendir(results);
	size_t n = 0;
	char *path;

	while ((path = next_run(dir, results, &run))) {
		json_object_set_new(run, "run", json_string(path));
		runs = xrealloc_array(runs, n + 1, sizeof(json_t *));
		runs[n++] = run;
		free(path);
	}
	if (n)
		qsort(runs, n, sizeof(json_t *), by_beginning);
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, entry_of(runs[i]));
		json_decref(runs[i]);
	}
	free(runs);
	return list;
}

char *store_default_results(void)
{
	const char *env = getenv("KAB_RESULTS");
	__free_char char *home = xasprintf("%s/results", kab_home());

	if (env && *env)
		return xstrdup(env);
	return xstrdup(access(home, W_OK) ? "results" : home);
}
