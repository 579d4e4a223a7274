// SPDX-License-Identifier: GPL-2.0-or-later
/* Packages that are not installed. Their one list is in the Makefile, which defines the macros. */
#include "doctor.h"

#include <string.h>

#include "util.h"

static const struct {
	const char *key, *names;
} groups[] = {
	{"build", KAB_PACKAGES_BUILD},
	{"kernel", KAB_PACKAGES_KERNEL},
	{"run", KAB_PACKAGES_RUN},
	{"test", KAB_PACKAGES_TEST},
	{"offered", KAB_PACKAGES_OFFERED},
};

/* "\nname installed\n" for each that dpkg knows; false: there is no dpkg. */
static bool ask_dpkg(struct buf *out)
{
	/* In a shell, because names that dpkg does not know make it complain. */
	static const char script[] =
		"command -v dpkg-query >/dev/null || exit 9; "
		"echo; dpkg-query -W -f '${Package} ${db:Status-Status}\\n' " KAB_PACKAGES_BUILD
		" " KAB_PACKAGES_KERNEL " " KAB_PACKAGES_RUN " " KAB_PACKAGES_TEST
		" " KAB_PACKAGES_OFFERED " 2>/dev/null; exit 0";
	const char *const argv[] = {"sh", "-c", script, NULL};

	return !run_capture(argv, NULL, out, NULL);
}

static json_t *lacking(const char *names, const char *installed)
{
	__free_char char *copy = xstrdup(names);
	json_t *list = json_array();
	char *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		__free_char char *line = xasprintf("\n%s installed\n", w);

		if (!strstr(installed, line))
			json_array_append_new(list, json_string(w));
	}
	return list;
}

json_t *doctor_packages(void)
{
	struct buf out = {};
	json_t *o = NULL;

	if (ask_dpkg(&out)) {
		o = json_object();
		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			json_object_set_new(o, groups[i].key, lacking(groups[i].names, out.data));
	}
	buf_free(&out);
	return o;
}
