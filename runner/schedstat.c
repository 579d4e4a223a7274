// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One capture of /proc/schedstat. It may have megabytes, most of them numbers of ten digits and
 * words of a mask, so that these are read eight characters at a time.
 */
#include "schedstat.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedstat_format.h"
#include "util.h"

struct parser {
	const char *file;
	const char *at;	 /* next byte */
	const char *end; /* of the text: its null byte */
	unsigned line;	 /* of @at, from 1 */
	struct schedstat *s;
	size_t cpus_size; /* allocated */
	struct error *err;
};

static int fail(const struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(const struct parser *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(p->err, KAB_USAGE, "%s:%u: %s", p->file, p->line, text);
}

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

#define EACH_BYTE(b) (0x0101010101010101 * (uint64_t)(b))

/* The top bit of each byte of @w, all of them below 0x80, that is within [@low, @high]. */
static inline uint64_t within(uint64_t w, unsigned low, unsigned high)
{
	return (w + EACH_BYTE(0x80 - low)) & ~(w + EACH_BYTE(0x7f - high)) & EACH_BYTE(0x80);
}

/* The next eight characters, the first one lowest; 0 where there are fewer or one is not ASCII. */
static inline uint64_t next_eight(const struct parser *p, const char *c)
{
	uint64_t w;

	if (p->end - c < 8)
		return 0;
	memcpy(&w, c, sizeof(w));
	return w & EACH_BYTE(0x80) ? 0 : le64toh(w);
}

/* What eight digits are worth: of each two neighbours the first counts 10, then 100, then 10000
 * times. */
static inline uint64_t eight_digits(uint64_t w)
{
	w -= EACH_BYTE('0');
	w = (w * 10 + (w >> 8)) & 0x00ff00ff00ff00ff;
	w = (w * 100 + (w >> 16)) & 0x0000ffff0000ffff;
	return (w * 10000 + (w >> 32)) & 0xffffffff;
}

/* Takes decimal digits; false when there are none or they exceed @max. */
static inline bool take_number(struct parser *p, uint64_t max, uint64_t *out)
{
	const char *c = p->at;
	uint64_t v = 0, w = next_eight(p, c);

	if (within(w, '0', '9') == EACH_BYTE(0x80)) {
		v = eight_digits(w);
		c += 8;
	}
	for (; is_digit(*c); c++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *c - '0', &v))
			return false;
	if (c == p->at || v > max)
		return false;
	p->at = c;
	*out = v;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(p->at, word, len))
		return false;
	p->at += len;
	return true;
}

static int end_line(struct parser *p)
{
	if (!*p->at)
		return fail(p, "the capture ends inside a line");
	if (*p->at != '\n')
		return fail(p, "unexpected '%.20s'", p->at);
	p->at++;
	p->line++;
	return 0;
}

/* What stands at @at up to the next blank, for messages. */
static const char *word_here(const struct parser *p, char out[32])
{
	snprintf(out, 32, "%.*s", (int)(strcspn(p->at, " \n") < 31 ? strcspn(p->at, " \n") : 31),
		p->at);
	return out;
}

/* Columns on the rest of the line, without looking at what they are. */
static size_t count_columns(const struct parser *p)
{
	size_t n = 0;

	for (const char *c = p->at; *c && *c != '\n'; c++)
		n += *c != ' ' && (c == p->at || c[-1] == ' ');
	return n;
}

static int read_header(struct parser *p)
{
	uint64_t version;
	char word[32];

	if (!*p->at)
		return fail(p, "nothing there; expected 'version N'");
	if (!take_word(p, "version ") || !take_number(p, UINT32_MAX, &version))
		return fail(p, "expected 'version N', found '%s'", word_here(p, word));
	p->s->format = schedstat_format_find(version);
	if (!p->s->format)
		return fail(p, "schedstat version %" PRIu64 " is not known; expected 15, 16 or 17",
			version);
	if (end_line(p))
		return -1;
	if (!take_word(p, "timestamp ") || !take_number(p, UINT64_MAX, &p->s->timestamp))
		return fail(p, "expected 'timestamp JIFFIES', found '%s'", word_here(p, word));
	return end_line(p);
}

/* " 12": one blank and a number. */
static inline int take_column(struct parser *p, size_t i, uint64_t max, uint64_t *out)
{
	char word[32];

	if (*p->at != ' ')
		return fail(
			p, "column %zu: expected a blank before it, found '%.8s'", i + 1, p->at);
	p->at++;
	if (!take_number(p, max, out))
		return fail(p, "column %zu: expected a number up to %" PRIu64 ", found '%s'", i + 1,
			max, word_here(p, word));
	return 0;
}

static const uint64_t width_max[] = {
	[SCHEDSTAT_ZERO] = 0,
	[SCHEDSTAT_U32] = UINT32_MAX,
	[SCHEDSTAT_U64] = UINT64_MAX,
};

static struct schedstat_cpu *new_cpu(struct parser *p)
{
	struct schedstat *s = p->s;

	if (s->ncpus == p->cpus_size) {
		p->cpus_size = p->cpus_size ? 2 * p->cpus_size : 64;
		s->cpus = xrealloc_array(s->cpus, p->cpus_size, sizeof(*s->cpus));
	}
	s->cpus[s->ncpus] = (struct schedstat_cpu){.first_domain = s->ndomains};
	return &s->cpus[s->ncpus++];
}

/* "cpu7 0 0 12 ...", in ascending order of CPUs. */
static int read_cpu(struct parser *p)
{
	size_t n = 0, before = p->s->ncpus;
	struct schedstat_cpu *c;
	uint64_t cpu;

	if (!take_number(p, SCHEDSTAT_MAX_CPUS - 1, &cpu))
		return fail(p, "expected a CPU number below %d behind 'cpu'", SCHEDSTAT_MAX_CPUS);
	if (before && cpu <= p->s->cpus[before - 1].cpu)
		return fail(p, "cpu%" PRIu64 " behind cpu%u; expected ascending numbers", cpu,
			p->s->cpus[before - 1].cpu);
	n = count_columns(p);
	if (!schedstat_cpu_columns_known(n))
		return fail(p, "cpu%" PRIu64 " has %zu columns; expected 9 or %d", cpu, n,
			SCHEDSTAT_CPU_COLUMNS);
	if (before && n != p->s->ncolumns)
		return fail(p, "cpu%" PRIu64 " has %zu columns, the lines before it %zu", cpu, n,
			p->s->ncolumns);
	p->s->ncolumns = n;
	c = new_cpu(p);
	c->cpu = cpu;
	for (size_t i = 0; i < n; i++)
		if (take_column(p, i, width_max[schedstat_cpu_columns[i].width], &c->value[i]))
			return -1;
	return end_line(p);
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* "00ff,ffffffff": words of up to 8 hexadecimal digits. */
static bool take_mask(struct parser *p)
{
	for (;;) {
		uint64_t w = next_eight(p, p->at);
		unsigned digits = 0;

		if ((within(w, '0', '9') | within(w, 'a', 'f')) == EACH_BYTE(0x80))
			digits = 8;
		while (digits < 8 && is_hex(p->at[digits]))
			digits++;
		p->at += digits;
		if (!digits || *p->at != ',')
			return digits && *p->at == ' ';
		p->at++;
	}
}

/* What is between "domainN " and the first counter. */
static int take_label(struct parser *p, struct schedstat_domain *d)
{
	char word[32];

	d->label = p->at;
	if (p->s->format->named) {
		if (*p->at == ' ' || *p->at == '\n' || !p->at[strcspn(p->at, " \n")])
			return fail(p, "expected the domain's name");
		p->at += strcspn(p->at, " \n");
		if (*p->at != ' ')
			return fail(p, "expected a CPU mask behind the domain's name");
		p->at++;
	}
	if (!take_mask(p))
		return fail(p, "expected a CPU mask in hexadecimal words, found '%s'",
			word_here(p, word));
	d->label_len = p->at - d->label;
	return 0;
}

/* The first one makes room for as many as there are lines to come: growing would copy megabytes. */
static struct schedstat_domain *new_domain(struct parser *p)
{
	struct schedstat *s = p->s;

	if (!s->domains) {
		size_t lines = 1;

		for (const char *c = p->at; (c = strchr(c, '\n')); c++)
			lines++;
		s->domains = xrealloc_array(NULL, lines, sizeof(*s->domains));
	}
	s->cpus[s->ncpus - 1].ndomains++;
	return &s->domains[s->ndomains++];
}

/* "domain1 ff 0 0 ...", levels counted from 0 for each CPU. */
static int read_domain(struct parser *p)
{
	const struct schedstat_format *f = p->s->format;
	struct schedstat_domain *d;
	uint64_t level, v = 0;
	size_t n;

	if (!p->s->ncpus)
		return fail(p, "a domain line before the first cpu line");
	if (!take_number(p, UINT32_MAX, &level) || *p->at != ' ')
		return fail(p, "expected a level behind 'domain'");
	if (level != p->s->cpus[p->s->ncpus - 1].ndomains)
		return fail(p, "domain%" PRIu64 " of cpu%u; expected domain%zu", level,
			p->s->cpus[p->s->ncpus - 1].cpu, p->s->cpus[p->s->ncpus - 1].ndomains);
	p->at++;
	d = new_domain(p);
	if (take_label(p, d))
		return -1;
	for (n = 0; n < f->ndomain_columns && *p->at == ' '; n++) {
		if (take_column(p, n, UINT32_MAX, &v))
			return -1;
		d->value[n] = v;
	}
	n += count_columns(p);
	if (n != f->ndomain_columns)
		return fail(p, "domain%" PRIu64 " has %zu counters; expected %zu in version %u",
			level, n, f->ndomain_columns, f->version);
	return end_line(p);
}

static int read_lines(struct parser *p)
{
	char word[32];
	int ret = read_header(p);

	while (!ret && *p->at) {
		if (take_word(p, "cpu"))
			ret = read_cpu(p);
		else if (take_word(p, "domain"))
			ret = read_domain(p);
		else
			ret = fail(
				p, "expected a cpu or domain line, found '%s'", word_here(p, word));
	}
	if (!ret && !p->s->ncpus)
		ret = fail(p, "the capture ends before the first cpu line");
	return ret;
}

int schedstat_parse(const char *file, const char *text, struct schedstat *s, struct error *err)
{
	struct parser p = {.file = file,
		.at = text,
		.end = text + strlen(text),
		.line = 1,
		.s = s,
		.err = err};

	*s = (struct schedstat){0};
	if (!read_lines(&p))
		return 0;
	schedstat_clear(s);
	return -1;
}

void schedstat_clear(struct schedstat *s)
{
	free(s->cpus);
	free(s->domains);
	*s = (struct schedstat){0};
}
