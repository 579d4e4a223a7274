// SPDX-License-Identifier: GPL-2.0-or-later
#include "guests.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

int guests_boot(struct guests *g)
{
	struct error err;

	g->now = vm_executor.boot(&g->req, &err);
	if (!g->now)
		print_error("%s: %s\n", g->req.arm->label, err.text);
	return g->now ? 0 : -1;
}

/* Kernels that switch static keys while all their CPUs are busy die of it now and then, under TCG alone. */
int guests_run(struct guests *g, const struct job *job, struct job_result *res)
{
	struct error err;

	*res = (struct job_result){};
	while (g->now) {
		if (vm_executor.run(g->now, job, res, &err)) {
			print_error("%s: %s\n", job->id, err.text);
			return -1;
		}
		if (!res->lost_write)
			return 0;
		print_message("# %s: the emulator lost a write, for the %u. time: %s\n", job->id, ++g->lost,
			res->reason);
		job_result_clear(res);
		guests_shutdown(g);
		if (g->lost <= GUESTS_MAY_LOSE)
			guests_boot(g);
	}
	return -1;
}

void guests_shutdown(struct guests *g)
{
	if (g->now)
		vm_executor.shutdown(g->now);
	g->now = NULL;
}
