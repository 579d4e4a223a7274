// SPDX-License-Identifier: GPL-2.0-or-later
/* The run that a command line means without naming it. */
#include <stdio.h>
#include <stdlib.h>

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
