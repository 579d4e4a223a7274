/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of kab. Each takes its own argc and argv (argv[0] is the verb) and returns an exit status. */
#ifndef KAB_COMMANDS_H
#define KAB_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_schedstat(int argc, char **argv);
int cmd_kernel(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
