# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make bench   from nothing to a report: packages, kernels, matrix, verdict, plots
#   make test    everything that proves it; ends with "N passed, N failed, N skipped"
#   make fuzz    every parser under libFuzzer, FUZZ_SECONDS each; what crashes one stays in $(B)/fuzz
#   make plots   the report of the newest run, or of the reference run, drawn again
#   make install, make deb   for use outside this folder: see packaging/
#
# Variables: B (build folder), CC, CFLAGS, prefix, DESTDIR, MATRIX (for bench), FUZZ_SECONDS, V=1 (show commands).

B	?= build
CC	?= gcc
CFLAGS	?= -O2 -g
MATRIX	?= matrix/default.yaml
FUZZ_SECONDS ?= 300
prefix	?= /usr/local
bindir	= $(prefix)/bin
libexecdir = $(prefix)/libexec/kab
sharedir = $(prefix)/share/kab
mandir	= $(prefix)/share/man
compdir	= $(prefix)/share/bash-completion/completions
VERSION	= 0.1
SAN	?=
V	?= 0
Q	= $(if $(filter 1,$(V)),,@)

# ---- packages: the one list ---------------------------------------------------------------------
# "make deps" installs these; nothing else names a package.

PACKAGES_BUILD = pkg-config libyaml-dev libjansson-dev libgsl-dev libssl-dev
PACKAGES_KERNEL = gcc make libc6-dev linux-source-6.1 bc bison flex libelf-dev cpio xz-utils lz4 patch perl rsync kmod git
PACKAGES_RUN = qemu-system-x86 qemu-system-data linux-perf stress-ng hyperfine gnuplot-nox \
	fonts-dejavu-core numactl
PACKAGES_TEST = libcmocka-dev mandoc cppcheck bsdextrautils spin
# "make fuzz" alone adds these: gcc has no libFuzzer.
PACKAGES_FUZZ = clang libclang-rt-dev
# Installed where the archive offers them: without, a test or two are skipped, and say so.
PACKAGES_OFFERED = linux-source-6.12 gcc-aarch64-linux-gnu libcap-dev libnuma-dev
PACKAGES = $(PACKAGES_BUILD) $(PACKAGES_KERNEL) $(PACKAGES_RUN) $(PACKAGES_TEST)

# ---- programs -----------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

WARN	= -Wall -Wextra -Werror
ALLCFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) $(SAN) -Irunner -Iworkloads \
	-DKAB_SHARE='"$(sharedir)"' -DKAB_LIBEXEC='"$(libexecdir)"' \
	-DKAB_VERSION='"$(VERSION)"' -MMD -MP
HOSTLIBS = -ljansson -lyaml -lgsl -lgslcblas -lcrypto -lm -lpthread

# The agent is PID 1 of a guest with no libraries, so these few objects are all it is made of.
GUEST_SRC = runner/guest.c runner/agent.c runner/jobrun.c runner/proto.c runner/sysinfo.c \
	runner/sample.c runner/error.c runner/util.c
RUNNER_SRC = $(filter-out runner/guest%.c runner/main.c,$(wildcard runner/*.c))
WORKLOAD_SRC = $(wildcard workloads/*.c)
UNIT	= $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
GUESTTESTS = $(patsubst tests/vm/%.c,$(B)/tests/%,$(wildcard tests/vm/test_*.c))
BENCH	= $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

FUZZERS	= $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS	= $(patsubst tests/fuzz/fuzz_%.c,$(B)/tests/replay_%,$(wildcard tests/fuzz/fuzz_*.c))

RUNNER_OBJ = $(RUNNER_SRC:%.c=$(B)/%.o)
GUEST_OBJ = $(GUEST_SRC:%.c=$(B)/guest/%.o)
WORKLOAD_OBJ = $(WORKLOAD_SRC:%.c=$(B)/%.o)
SUPPORT_OBJ = $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
VM_SUPPORT_OBJ = $(patsubst %.c,$(B)/%.o,$(filter-out tests/vm/test_%,$(wildcard tests/vm/*.c)))

# A sanitized program cannot be static; the guest's own programs always are, so those stay plain.
GUEST_CFLAGS = $(filter-out $(SAN),$(ALLCFLAGS))
WORKLOAD_LINK = $(if $(SAN),$(SAN),-static)

all: $(B)/kab $(B)/kab-guest $(B)/kab-workload $(B)/kab-count.so

$(B)/kab: $(B)/runner/main.o $(RUNNER_OBJ)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOSTLIBS)

$(B)/kab-guest: $(GUEST_OBJ)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) -static $(LDFLAGS) -o $@ $^ -ljansson -lpthread

$(B)/kab-workload: $(WORKLOAD_OBJ)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(WORKLOAD_LINK) $(LDFLAGS) -o $@ $^ -lpthread -lm

# A plugin of QEMU's, which finds the functions it calls in there.
$(B)/kab-count.so: runner/qemu-plugin/count.c
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(GUEST_CFLAGS) -MF $(B)/kab-count.d -fPIC -fvisibility=hidden -shared $(LDFLAGS) -o $@ $<

# What test_cli preloads into kab.
$(B)/tests/clock_jumps.so: tests/clock_jumps.c
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(GUEST_CFLAGS) -MF $(B)/clock_jumps.d -fPIC -shared $(LDFLAGS) -o $@ $<

$(B)/guest/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(CC) $(GUEST_CFLAGS) -c -o $@ $<

# kab doctor looks for the packages of the one list.
$(B)/runner/doctor_packages.o: Makefile
$(B)/runner/doctor_packages.o: ALLCFLAGS += $(foreach l,BUILD KERNEL RUN TEST OFFERED,\
	-DKAB_PACKAGES_$(l)='"$(PACKAGES_$(l))"')

$(B)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(CC) $(ALLCFLAGS) -Itests/unit -c -o $@ $<

$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(SUPPORT_OBJ) $(RUNNER_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(HOSTLIBS)

$(B)/tests/test_%: $(B)/tests/vm/test_%.o $(VM_SUPPORT_OBJ) $(SUPPORT_OBJ) $(RUNNER_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(HOSTLIBS)

# The kept inputs of a fuzz target, one after another.
$(B)/tests/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(RUNNER_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOSTLIBS)

$(B)/tests/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(RUNNER_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SAN) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(HOSTLIBS)

$(B)/bench/%: $(B)/tests/bench/%.o $(RUNNER_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(HOSTLIBS)

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)

unit: all $(UNIT) $(B)/tests/clock_jumps.so
benches: $(BENCH)
guesttests: all $(GUESTTESTS)
replays: all $(REPLAYS)
fuzzers: $(FUZZERS)

.PHONY: all unit guesttests benches replays fuzzers

# ---- what people call ---------------------------------------------------------------------------

deps:
	@lacking() { \
		for p; do \
			[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || \
				printf ' %s' $$p; \
		done; \
	}; \
	needed=$$(lacking $(PACKAGES)); \
	offered=$$(lacking $(PACKAGES_OFFERED)); \
	if [ "$$(id -u)" != 0 ]; then \
		[ -n "$$needed" ] || exit 0; \
		echo "These packages are missing; as root: apt-get install --no-install-recommends$$needed" >&2; \
		exit 4; \
	fi; \
	[ -n "$$needed$$offered" ] || exit 0; \
	apt-get update -qq; \
	for p in $$offered; do \
		if apt-cache show $$p >/dev/null 2>&1; then needed="$$needed $$p"; fi; \
	done; \
	[ -n "$$needed" ] || exit 0; \
	echo "installing$$needed"; \
	DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $$needed >/dev/null

# The programs are made by a make of their own, so that it starts with the packages already there.
build-all: deps
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all

# Exit 0 when it measured and reported, whatever the verdict (1: worse, 3: unclear).
bench: build-all
	$(Q)$(B)/kab doctor; s=$$?; [ $$s -eq 0 ] || [ $$s -eq 4 ] || exit $$s
	$(Q)out=$$($(B)/kab run $(MATRIX)); s=$$?; [ $$s -le 1 ] || exit $$s; \
	run=$$(printf '%s\n' "$$out" | tail -n 1); \
	$(B)/kab compare "$$run"; s=$$?; case $$s in 0|1|3) ;; *) exit $$s ;; esac; \
	$(B)/kab report "$$run"

plots: build-all
	$(Q)$(B)/kab report

# clang calls a variable unused that only its own cleanup reads.
FUZZSAN	= SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Wno-unused-variable'
ASAN	= SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined'

$(B)/driver: tests/driver.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALLCFLAGS) -o $@ $<

# Programs first, in parallel and plain and with sanitizers; then one driver runs them all in turn.
test: build-all
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) unit guesttests benches $(B)/driver
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) B=$(B)/asan $(ASAN) all unit replays
	$(Q)B=$(B) tests/run

test-full: build-all
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) unit guesttests benches $(B)/driver
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) B=$(B)/asan $(ASAN) all unit replays
	$(Q)B=$(B) KAB_TEST_FULL=1 tests/run

# Not "all": the programs themselves are not of clang's making.
fuzz:
	$(Q)$(MAKE) --no-print-directory deps PACKAGES_TEST='$(PACKAGES_TEST) $(PACKAGES_FUZZ)'
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) B=$(B)/fuzz CC=clang $(FUZZSAN) fuzzers
	$(Q)B=$(B)/fuzz tests/fuzz/run $(FUZZ_SECONDS)

bench-self: build-all
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) benches
	$(Q)for b in $(BENCH); do echo "== $$b"; $$b || exit; done

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(sharedir) \
		$(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(compdir)
	install -m 755 $(B)/kab $(DESTDIR)$(bindir)/
	install -m 755 $(B)/kab-guest $(B)/kab-workload $(B)/kab-count.so $(DESTDIR)$(libexecdir)/
	cp -R kernel-patch matrix plots $(DESTDIR)$(sharedir)/
	install -d $(DESTDIR)$(sharedir)/reference
	cp -R $(addprefix results/reference/,run.json samples.jsonl boots) $(DESTDIR)$(sharedir)/reference/
	chmod -R u=rwX,go=rX $(DESTDIR)$(sharedir)
	install -m 644 docs/*.1 $(DESTDIR)$(mandir)/man1/
	install -m 644 docs/*.5 $(DESTDIR)$(mandir)/man5/
	install -m 644 docs/completion/kab.bash $(DESTDIR)$(compdir)/kab

uninstall:
	rm -f $(DESTDIR)$(bindir)/kab $(DESTDIR)$(compdir)/kab \
		$(patsubst docs/%,$(DESTDIR)$(mandir)/man1/%,$(wildcard docs/*.1)) \
		$(patsubst docs/%,$(DESTDIR)$(mandir)/man5/%,$(wildcard docs/*.5))
	rm -rf $(DESTDIR)$(libexecdir) $(DESTDIR)$(sharedir)

# A package of what "make install" installs, $(B)/kab_VERSION_ARCH.deb.
deb: all
	$(Q)rm -rf $(B)/deb
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(B)/deb prefix=/usr >/dev/null
	$(Q)packaging/make-deb $(B)/deb $(VERSION) $(B) $(PACKAGES_KERNEL) $(PACKAGES_RUN)

clean:
	rm -rf $(B)

.PHONY: deps build-all bench plots test test-full fuzz bench-self install uninstall deb clean
