// SPDX-License-Identifier: GPL-2.0-or-later
/* The runs that a command line names, or means without naming one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli.h"
#include "store.h"
#include "util.h"

char *cli_newest_run(const char *verb, const struct cli_common *c, struct error *err)
{
	__free_char char *results = store_default_results();
	char *path = store_find_newest(results);

	if (!path)
		error_set(err, KAB_USAGE,
			"no finished run in %s, and no reference run; name one, or make one: kab "
			"run",
			results);
	else if (!c->quiet && !c->json)
		fprintf(stderr, "kab %s: %s\n", verb, path);
	return path;
}

bool cli_same_run(const char *run, const char *other, struct error *err)
{
	struct stat x, y;

	if (stat(run, &x) || stat(other, &y) || x.st_dev != y.st_dev || x.st_ino != y.st_ino)
		return false;
	error_set(err, KAB_USAGE, "%s: a run against itself; expected another run, or one alone, whose arms are compared", other);
	return true;
}
