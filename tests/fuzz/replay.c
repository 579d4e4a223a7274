// SPDX-License-Identifier: GPL-2.0-or-later
/* Hands every file of some folders to a fuzz target, in the order of their names, each cut short, too.
 * TAP: one test. */
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

#define CUTS 16 /* lengths at which an input is tried beside its own */

static void replay(const char *path)
{
	size_t size = 0;
	__free_char char *text = file_read(path, &size, NULL);

	fuzz_assert(text);
	for (size_t i = 0; i <= CUTS; i++) {
		size_t len = size * i / CUTS;
		/* A block of its own length, so that a read behind its end is seen. */
		uint8_t *copy = malloc(len ? len : 1);

		fuzz_assert(copy);
		memcpy(copy, text, len);
		LLVMFuzzerTestOneInput(copy, len);
		free(copy);
	}
}

/* Every file of the folder; how many there are. */
static unsigned replay_folder(const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);
	unsigned inputs = 0;

	fuzz_assert(n >= 0);
	for (int i = 0; i < n; i++) {
		__free_char char *path = xasprintf("%s/%s", folder, names[i]->d_name);

		if (names[i]->d_name[0] != '.') {
			replay(path);
			inputs++;
		}
		free(names[i]);
	}
	free(names);
	return inputs;
}

int main(int argc, char **argv)
{
	unsigned inputs = 0;

	for (int i = 1; i < argc; i++)
		inputs += replay_folder(argv[i]);
	printf("1..1\n%s 1 - %u inputs, each at %d lengths\n", inputs ? "ok" : "not ok", inputs,
		CUTS + 1);
	return !inputs;
}
