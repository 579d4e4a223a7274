// SPDX-License-Identifier: GPL-2.0-or-later
/* The report's folder: figures first, for the formats take them in. */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "report_format.h"
#include "report_plots.h"

static const struct {
	const char *file;
	int (*render)(const struct report *r, const char *dir, struct buf *b, struct error *err);
} formats[] = {
	{"report.html", report_html},
	{"report.md", report_md},
	{"cover-letter.txt", report_cover},
};

static int write_formats(const struct report *r, const char *dir, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		__free_char char *path = xasprintf("%s/%s", dir, formats[i].file);
		struct buf b = {0};
		int ret = formats[i].render(r, dir, &b, err) ||
					  file_write_atomic(path, b.data, b.len, err)
				  ? -1
				  : 0;

		buf_free(&b);
		if (ret)
			return -1;
	}
	return 0;
}

char *report_folder(const struct store *run, const struct store *other)
{
	__free_char char *name = report_run_name(run);

	return other ? xasprintf("%s/report-against-%s", store_path(other), name) : xasprintf("%s/report", store_path(run));
}

int report_write(const struct store *run, const struct store *other, const struct comparison *c, const char *out,
	struct error *err)
{
	__free_char char *dir = out ? xstrdup(out) : report_folder(run, other);
	struct report r;
	int ret = -1;

	if (report_data_make(run, other, c, &r, err))
		goto out;
	r.beside = !out && !other;
	report_plots(&r);
	if (dir_make(dir, err) || plots_draw(&r.plots, dir, err) || write_formats(&r, dir, err) ||
		report_stacks(&r, dir, err))
		goto out;
	ret = 0;
out:
	report_data_clear(&r);
	return ret;
}
