/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parameters of one workload and the values they were given. */
#ifndef KAB_PARAMS_H
#define KAB_PARAMS_H

#include "workload.h"

struct value {
	const struct param *param;
	const char *text; /* as given, or the fallback; borrowed */
	uint64_t number;  /* PARAM_UINT; PARAM_DURATION: ns; PARAM_CHOICE: index; PARAM_CPUS: 0 */
	bool given;
};

#define PARAMS_MAX 40

struct params {
	struct value value[PARAMS_MAX];
	unsigned n;
};

/* All parameters of @w, its own before the common ones, with their fallbacks. */
int params_init(struct params *p, const struct workload *w, struct error *err);
/*
 * Takes "--name value", "--name=value" and, for a choice of off and on, "--name". The texts stay
 * borrowed. -1 names parameter, value and what is allowed (STATUS_USAGE).
 */
int params_parse(struct params *p, int argc, char **argv, struct error *err);
/* NULL: there is no such parameter. */
const struct value *params_find(const struct params *p, const char *name);
/* What values @param takes, in words: "a whole number from 1 to 4096". */
void param_expects(const struct param *param, char *text, size_t size);
/* "thread", "duration": the kind's name in a catalogue. */
const char *param_kind_name(enum param_kind kind);

#endif
