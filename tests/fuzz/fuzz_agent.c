// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages of the agent in a guest, which a kernel under test may have damaged. */
#include <unistd.h>

#include "fuzz.h"
#include "proto.h"

static void as_sample(const json_t *msg)
{
	struct job_result res = {0};
	struct proto_job job = {0};
	struct error err = {0};

	fuzz_assert(*proto_type(msg) || !strcmp(proto_type(msg), ""));
	fuzz_assert(!proto_parse_sample(msg, &res, &err) || err.status);
	job_result_clear(&res);
	if (!proto_parse_job(msg, &job, &err))
		proto_job_clear(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_reader r = {0};
	enum proto_status status;
	struct error err = {0};
	json_t *msg;
	int p[2];

	if (size > 32768 || pipe(p))
		return 0;
	fuzz_assert(write(p[1], data, size) == (ssize_t)size);
	close(p[1]);
	r.fd = p[0];
	while ((status = proto_receive(&r, &msg, &err)) == PROTO_MESSAGE || status == PROTO_AGAIN) {
		if (status != PROTO_MESSAGE)
			continue;
		as_sample(msg);
		json_decref(msg);
	}
	proto_reader_clear(&r);
	close(p[0]);
	return 0;
}
