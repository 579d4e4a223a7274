/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON pointers (RFC 6901) to a number, in JSON and in YAML. */
#ifndef KAB_POINTER_H
#define KAB_POINTER_H

#include <jansson.h>

#include "error.h"

/*
 * The number that @pointer ("/results/0/mean"; "" is the whole) reaches in @text; a string that
 * reads as one number counts. -1 with KAB_ENVIRONMENT: malformed text by line and column, or the
 * first step that leads nowhere.
 */
int pointer_json(const char *text, const char *pointer, double *value, struct error *err);
/* The same in the first document of YAML @text. */
int pointer_yaml(const char *text, const char *pointer, double *value, struct error *err);

#endif
