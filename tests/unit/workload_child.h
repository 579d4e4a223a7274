/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kab-workload as a child process, for tests of its command line. */
#ifndef WORKLOAD_CHILD_H
#define WORKLOAD_CHILD_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <jansson.h>

struct workload_child {
	pid_t pid;
	FILE *out, *err;
};

/* How it ended: status as of wait(2), and what it printed. */
struct workload_outcome {
	int status;
	char *out, *err;
};

/* Starts $KAB_WORKLOAD, or build/kab-workload; @command is split at blanks. */
struct workload_child workload_start(const char *command);
/* @out: where standard output goes instead, or NULL; @files: limit on open files, or 0. */
struct workload_child workload_start_with(const char *command, const char *out, rlim_t files);
struct workload_outcome workload_finish(struct workload_child c);
void workload_outcome_free(struct workload_outcome *o);
struct workload_outcome workload_call(const char *command);
/* The JSON that it prints, after an exit status 0 and a silent standard error. New reference. */
json_t *workload_result(const char *command);
/* Fails the test unless @command ends with @status, says @part on standard error and prints nothing. */
void workload_refuses(const char *command, int status, const char *part);

/* An integer member, which must be there. */
uint64_t json_uint_of(const json_t *o, const char *key);
/* Fails the test with both texts unless @part is in @text. */
void assert_text_has(const char *text, const char *part);
void sleep_ms(unsigned ms);

#endif
