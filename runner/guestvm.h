/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the executors vm and exact have in common: a guest under QEMU. */
#ifndef KAB_GUESTVM_H
#define KAB_GUESTVM_H

#include "executor.h"
#include "qemu.h"

struct guestvm_options {
	enum qemu_accel accel;
	unsigned slowdown; /* how many times longer than usual things may take; 0 is 1 */
	unsigned ready_s;  /* limit of the boot; 0: the usual */
};

/*
 * Boots a guest for @req. The rest is as executor_ops says: guestvm_env() and guestvm_run() take what it returns,
 * guestvm_shutdown() frees it.
 */
struct executor *guestvm_boot(const struct boot_request *req, const struct guestvm_options *opt,
			      struct error *err);
int guestvm_run(struct executor *ex, const struct job *job, struct job_result *res,
		struct error *err);
json_t *guestvm_env(struct executor *ex);
void guestvm_shutdown(struct executor *ex);
/* The QEMU process, for tests that end it from outside. */
pid_t guestvm_pid(const struct executor *ex);

#endif
