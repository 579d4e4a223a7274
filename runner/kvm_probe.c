// SPDX-License-Identifier: GPL-2.0-or-later
/* Tries KVM instead of guessing. */
#include "kvm_probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "console.h"
#include "vm_guest.h"

#define KVM_NODE "/dev/kvm"

/* Where the answer for this host, as it runs now, is kept. Caller frees. */
static char *answer_path(void)
{
	__free_char char *boot = file_read("/proc/sys/kernel/random/boot_id", NULL, NULL);
	__free_char char *key = NULL;
	const char *qemu = qemu_version(NULL);
	struct utsname u = {0};
	char hash[65];

	uname(&u);
	key = xasprintf("%s %s %s", boot ? boot : "", u.release, qemu ? qemu : "");
	sha256_hex(key, strlen(key), hash);
	return xasprintf("%s/kvm-%.16s.json", kab_cache(), hash);
}

static bool read_answer(struct kvm_probe *p)
{
	__free_char char *path = answer_path();
	json_t *o = json_load_file(path, 0, NULL);
	const char *reason;
	int works;

	if (json_unpack(o, "{s:b, s:s}", "works", &works, "reason", &reason)) {
		json_decref(o);
		return false;
	}
	p->works = works;
	p->settled = p->cached = true;
	snprintf(p->reason, sizeof(p->reason), "%s", reason);
	json_decref(o);
	return true;
}

void kvm_probe_settle(const struct kvm_probe *p)
{
	__free_char char *path = answer_path();
	json_t *o = json_pack("{s:b, s:s}", "works", p->works, "reason", p->reason);
	__free_char char *text = json_dumps(o, JSON_INDENT(2));

	/* An answer that cannot be kept is found again next time. */
	if (!dir_make(kab_cache(), NULL))
		file_write_atomic(path, text, strlen(text), NULL);
	json_decref(o);
}

/* Boots @kernel under KVM in a scratch folder. */
static int try_boot(const char *kernel, struct kvm_probe *p, struct error *err)
{
	struct machine small = {.cpus = 2, .nodes = 1, .memory = 256ull << 20};
	__free_char char *dir = xasprintf("%s/kvm-probe.%d", kab_cache(), (int)getpid());
	struct boot_request req = {.machine = &small, .kernel = kernel, .dir = dir};
	struct vm_guest_options opt = {.accel = QEMU_KVM, .ready_s = KVM_PROBE_LIMIT_S};
	struct error why = {0};
	struct executor *ex = vm_guest_boot(&req, &opt, &why);

	p->works = ex != NULL;
	p->settled = p->works;
	/* The rest of the text, and the place it names, is about a console that is about to go. */
	if (!ex) {
		char *place = strstr(why.text, dir);

		if (place && place - why.text >= 2)
			place[-2] = '\0';
		snprintf(p->reason, sizeof(p->reason), "%.*s", (int)strcspn(why.text, "\n"),
			why.text);
	}
	vm_guest_shutdown(ex);
	dir_remove(dir, NULL);
	if (!ex && why.status == KAB_INTERRUPTED)
		return error_set(err, KAB_INTERRUPTED, "%s", why.text);
	return 0;
}

int kvm_probe(const char *kernel, struct kvm_probe *p, struct error *err)
{
	*p = (struct kvm_probe){0};
	if (access(KVM_NODE, R_OK | W_OK)) {
		p->settled = true;
		snprintf(p->reason, sizeof(p->reason), "%s: %s", KVM_NODE, strerror(errno));
		return 0;
	}
	if (read_answer(p))
		return 0;
	if (!kernel) {
		snprintf(p->reason, sizeof(p->reason), "not tried yet: that takes a built kernel");
		return 0;
	}
	if (try_boot(kernel, p, err))
		return -1;
	if (p->works)
		kvm_probe_settle(p);
	return 0;
}
