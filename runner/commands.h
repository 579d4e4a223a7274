/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of kab. Each takes its own argc and argv (argv[0] is the verb) and returns an exit status. */
#ifndef KAB_COMMANDS_H
#define KAB_COMMANDS_H

int cmd_try(int argc, char **argv);
int cmd_bisect(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_schedstat(int argc, char **argv);
int cmd_kernel(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/* "kab run", with the run's folder in *@folder instead of on standard output; NULL: there is none. Caller frees. */
int run_matrix(int argc, char **argv, char **folder);

/* --base: a package by name, a tarball or a git tree (@rev: its revision) by path; NULL: the project's own. */
struct base;
struct error;
int base_from_options(const char *base, const char *rev, struct base *b, struct error *err);

#endif
