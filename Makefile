# SPDX-License-Identifier: Apache-2.0
# The whole project from one place. Everything that is made lies below build/; kernels and
# tools come from the Debian archive, and nothing is installed but Debian packages.
#
#   make              kernel modules (both series), libraries, tools, examples
#   make demo         three VMs on an emulated host; KERNEL=6.12 for the other kernel
#   make test         all tests; KERNEL=6.12 or KERNEL=all
#   make attack       all attacks and mutations, up to an hour; a part is in "make test"
#   make mutations    each defence taken away: does its test notice?
#   make bench        what a call costs, beside VMCALL and a system call
#   make check        static analysis, sanitizers, formatting
#   make clean        build/ without the downloaded kernels
KERNEL ?= 6.1
KERNELS := $(if $(filter all,$(KERNEL)),6.1 6.12,$(KERNEL))

all: modules user gate

deps:
	testbed/install-deps

kernels: deps
	for kernel in $(KERNELS); do testbed/fetch-kernel $$kernel || exit 1; done

gate: deps
	$(MAKE) -C gate check

# the gate pages that go into elisa.ko are those that were checked
modules: kernels gate
	for kernel in $(KERNELS); do \
		$(MAKE) -C host KERNEL=$$kernel && $(MAKE) -C guest KERNEL=$$kernel || exit 1; done

user: deps
	[ -d build/user ] || meson setup build/user
	ninja -C build/user

demo: all
	demo/run $(KERNELS)

test: all
	tests/run $(KERNELS)

attack: all
	tests/attack/run $(KERNELS)

mutations: all
	tests/attack/mutations/run

bench: all
	bench/run $(KERNELS)

check: all
	tests/check

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build/user* build/host-* build/guest-* build/gate build/machine-tests build/attacks build/mutations build/logs

.PHONY: all deps kernels gate modules user demo test attack mutations bench check format clean
