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

char *store_find(const char *results, store_match *match, void *arg)
{
	json_int_t best_key = -1;
	struct dirent *entry;
	char *best = NULL;
	DIR *dir = opendir(results);

	while (dir && (entry = readdir(dir))) {
		char *path;
		json_t *run;

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "reference"))
			continue;
		path = xasprintf("%s/%s", results, entry->d_name);
		run = peek(path);
		if (run && age_key(run) > best_key && match(arg, run)) {
			best_key = age_key(run);
			free(best);
			best = xstrdup(path);
		}
		json_decref(run);
		free(path);
	}
	if (dir)
		closedir(dir);
	return best;
}

static bool is_finished(void *arg, const json_t *run)
{
	(void)arg;
	return store_finished(run);
}

char *store_find_newest(const char *results)
{
	char *path = store_find(results, is_finished, NULL);
	json_t *run;

	if (path)
		return path;
	path = xasprintf("%s/results/reference", kab_home());
	run = peek(path);
	if (run) {
		json_decref(run);
		return path;
	}
	free(path);
	return NULL;
}

char *store_default_results(void)
{
	const char *env = getenv("KAB_RESULTS");
	__free_char char *home = xasprintf("%s/results", kab_home());

	if (env && *env)
		return xstrdup(env);
	return xstrdup(access(home, W_OK) ? "results" : home);
}
