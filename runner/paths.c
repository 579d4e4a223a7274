// SPDX-License-Identifier: GPL-2.0-or-later
/* Where things lie: the project's data, the cache, our own programs. */
#include "util.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef KAB_SHARE
#define KAB_SHARE "/usr/local/share/kab"
#endif
#ifndef KAB_LIBEXEC
#define KAB_LIBEXEC "/usr/local/libexec/kab"
#endif

static bool is_dir(const char *folder, const char *name)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* The folder of the running executable, e.g. <tree>/build. */
static const char *own_folder(void)
{
	static char path[PATH_MAX];

	if (!path[0]) {
		ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
		char *slash;

		path[n > 0 ? n : 0] = '\0';
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
	return path;
}

const char *kab_home(void)
{
	static char path[PATH_MAX + 16];
	const char *env = getenv("KAB_HOME");

	if (env && *env)
		return env;
	if (path[0])
		return path;
	/* A build folder lies one or two levels (build/, build/asan/) below the source tree. */
	snprintf(path, sizeof(path), "%s", own_folder());
	for (int up = 0; up < 4 && path[0]; up++) {
		char *slash;

		if (is_dir(path, "kernel-patch") && is_dir(path, "matrix"))
			return path;
		slash = strrchr(path, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	/* Installed, perhaps under another prefix than the one it was built for. */
	snprintf(path, sizeof(path), "%s/../share/kab", own_folder());
	if (!is_dir(path, "kernel-patch"))
		snprintf(path, sizeof(path), "%s", KAB_SHARE);
	return path;
}

const char *kab_cache(void)
{
	static char path[PATH_MAX];
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	/* The XDG base directory specification: a relative XDG_CACHE_HOME is to be ignored. */
	if (xdg && xdg[0] == '/') {
		snprintf(path, sizeof(path), "%s/kab", xdg);
	} else {
		struct passwd *pw = home && *home ? NULL : getpwuid(getuid());

		snprintf(path, sizeof(path), "%s/.cache/kab",
			home && *home ? home
			: pw	      ? pw->pw_dir
				      : "/tmp");
	}
	return path;
}

char *kab_program(const char *name)
{
	__free_char char *beside = xasprintf("%s/../libexec/kab", own_folder());
	const char *env = getenv("KAB_LIBEXEC");
	const char *folders[] = {env && *env ? env : NULL, own_folder(), beside, KAB_LIBEXEC};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char *path;

		if (!folders[i])
			continue;
		path = xasprintf("%s/%s", folders[i], name);
		/* Jobs run in other folders, where a relative one leads nowhere. */
		if (!access(path, X_OK)) {
			char *real = realpath(path, NULL);

			if (!real)
				return path;
			free(path);
			return real;
		}
		free(path);
	}
	return NULL;
}

bool path_is_own_matrix(const char *path)
{
	__free_char char *folder = xasprintf("%s/matrix", kab_home());
	__free_char char *home = realpath(folder, NULL), *real = realpath(path, NULL);

	return home && real && !strncmp(real, home, strlen(home)) && real[strlen(home)] == '/';
}

char *path_of_matrix(const char *name)
{
	char *own = xasprintf("%s/%s", kab_home(), name);

	if (access(name, F_OK) && path_is_own_matrix(own))
		return own;
	free(own);
	return xstrdup(name);
}

char *path_without_home(const char *path)
{
	const char *home = getenv("HOME");
	size_t n = home ? strlen(home) : 0;

	while (n && home[n - 1] == '/')
		n--;
	if (!n || strncmp(path, home, n) || path[n] != '/')
		return xstrdup(path);
	return xasprintf("~%s", path + n);
}
