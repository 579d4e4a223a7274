// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA-256 by libcrypto. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

static void to_hex(const unsigned char *md, char out[65])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < 32; i++) {
		out[2 * i] = digit[md[i] >> 4];
		out[2 * i + 1] = digit[md[i] & 15];
	}
	out[64] = '\0';
}

void sha256_hex(const void *data, size_t len, char out[65])
{
	unsigned char md[EVP_MAX_MD_SIZE] = {};

	EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL);
	to_hex(md, out);
}

int sha256_file(const char *path, char out[65], struct error *err)
{
	__close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char md[EVP_MAX_MD_SIZE] = {};
	static char chunk[1 << 20];
	EVP_MD_CTX *ctx;
	ssize_t n;

	if (fd < 0)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	ctx = EVP_MD_CTX_new();
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		EVP_DigestUpdate(ctx, chunk, n);
	EVP_DigestFinal_ex(ctx, md, NULL);
	EVP_MD_CTX_free(ctx);
	if (n < 0)
		return error_set(err, KAB_ENVIRONMENT, "%s: %s", path, strerror(errno));
	to_hex(md, out);
	return 0;
}
