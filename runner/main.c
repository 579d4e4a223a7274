// SPDX-License-Identifier: GPL-2.0-or-later
/* kab: a table of verbs. Each lives in a file of its own, cmd_<verb>.c. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "error.h"
#include "util.h"

#ifndef KAB_VERSION
#define KAB_VERSION "0.1"
#endif

static const struct {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "doctor", "what works on this machine, and what each lack costs", cmd_doctor },
	{ "try", "a series of patches: from mails, a folder or git to a verdict", cmd_try },
	{ "run", "run or continue a benchmark matrix", cmd_run },
	{ "compare", "verdicts: each arm against the baseline", cmd_compare },
	{ "report", "regenerate the report and its plots", cmd_report },
	{ "show", "what was measured, down to one sample", cmd_show },
	{ "schedstat", "the difference of two /proc/schedstat captures, by name", cmd_schedstat },
	{ "bisect", "a step of git bisect run: is this revision slower than that?", cmd_bisect },
	{ "kernel", "build, list, find and clean kernels", cmd_kernel },
};

static void print_usage(FILE *to)
{
	fputs("usage: kab <verb> [options]\n\n"
	      "Tells what a patch series does to a kernel, and how sure that is.\n\n",
		to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nNew here? kab doctor, then kab run matrix/quick.yaml, kab compare, kab report.\n"
	      "kab <verb> --help tells a verb's options; kab(1) is the manual.\n", to);
}

static void on_signal(int sig)
{
	(void)sig;
	/* The second one ends us at once; children die with us. */
	if (kab_interrupted)
		_exit(KAB_INTERRUPTED);
	kab_interrupted = 1;
}

/*
 * With a standard stream closed, the first file opened would take its number and its output. What is written to these
 * fails, as it does to a closed one.
 */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void install_handlers(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: waits must notice */
	struct sigaction old;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		/* nohup and a shell's "&" ask to be spared. */
		if (!sigaction(ends[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(ends[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* a guest that died shows as an error of write */
}

int main(int argc, char **argv)
{
	static char help[] = "--help";

	if (argc < 2) {
		print_usage(stderr);
		return KAB_USAGE;
	}
	/* "kab help run" is "kab run --help". */
	if (argc == 3 && !strcmp(argv[1], "help"))
		argv[1] = argv[2], argv[2] = help;
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return cli_flush(KAB_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
		puts("kab " KAB_VERSION);
		return cli_flush(KAB_OK);
	}
	fill_standard_streams();
	install_handlers();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return cli_flush(commands[i].run(argc - 1, argv + 1));
	fprintf(stderr, "kab: '%s' is no verb of kab; see kab --help\n", argv[1]);
	return KAB_USAGE;
}
