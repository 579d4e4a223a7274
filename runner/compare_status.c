// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts -> the exit status of a program. */
#include <string.h>

#include "compare.h"
#include "verdict.h"
#include "util.h"

enum kab_exit comparison_status_for(const struct comparison *c, unsigned fail_on)
{
	unsigned seen = c->failed ? FAIL_ON_FAILED : 0;
	size_t asked = 0, decided = 0;

	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (!r->primary || r->control)
			continue;
		asked++;
		decided += r->verdict == VERDICT_SAME || r->verdict == VERDICT_FAILED || verdict_is_change(r->verdict);
		if (r->verdict == VERDICT_REGRESSION)
			seen |= FAIL_ON_REGRESSION;
		else if (r->verdict == VERDICT_FAILED)
			seen |= FAIL_ON_FAILED;
		else if (r->verdict == VERDICT_UNCLEAR)
			seen |= FAIL_ON_UNCLEAR;
	}
	/* Nothing compared is nothing decided: a kernel on which each cell is skipped is not a good one. */
	if (!c->nrows || (asked && !decided))
		seen |= FAIL_ON_UNCLEAR;
	seen &= fail_on;
	if (seen & (FAIL_ON_REGRESSION | FAIL_ON_FAILED))
		return KAB_REGRESSION;
	return seen ? KAB_UNCLEAR : KAB_OK;
}

enum kab_exit comparison_status(const struct comparison *c)
{
	return comparison_status_for(c, FAIL_ON_ALL);
}

static const struct {
	const char *name;
	unsigned bit;
} fail_names[] = {
	{"regression", FAIL_ON_REGRESSION},
	{"failed", FAIL_ON_FAILED},
	{"unclear", FAIL_ON_UNCLEAR},
};

static unsigned fail_bit(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(fail_names); i++)
		if (!strncmp(fail_names[i].name, name, len) && !fail_names[i].name[len])
			return fail_names[i].bit;
	return 0;
}

int fail_on_parse(const char *text, unsigned *fail_on, struct error *err)
{
	*fail_on = 0;
	if (!strcmp(text, "none"))
		return 0;
	for (const char *word = text;; word++) {
		size_t len = strcspn(word, ",");
		unsigned bit = fail_bit(word, len);

		if (!bit)
			return error_set(err, KAB_USAGE,
				"--fail-on: '%.*s': expected a list of regression, failed and "
				"unclear, or none",
				(int)len, word);
		*fail_on |= bit;
		word += len;
		if (!*word)
			return 0;
	}
}
