# SPDX-License-Identifier: Apache-2.0
# The whole project from one place. Everything that is made lies below build/; kernels and
# tools come from the Debian archive, and nothing is installed but Debian packages.
#
#   make              kernel modules, libraries, tools, examples
#   make demo         three VMs on an emulated host
#   make test         all tests
#   make bench        what a call costs, beside VMCALL and a system call
#   make bench-switch  what the switch costs, beside a bare copy; makes docs/bench-switch.png
#   make check        static analysis, sanitizers, formatting
#   make clean        build/ without the downloaded kernels
# Each for kernel 6.1; KERNEL=6.12 for the other, KERNEL=all for both.
KERNEL ?= 6.1
KERNELS := $(if $(filter all,$(KERNEL)),6.1 6.12,$(KERNEL))

all: modules user gate

deps:
	testbed/install-deps

kernels: deps
	for kernel in $(KERNELS); do testbed/fetch-kernel $$kernel || exit 1; done

gate: deps
	$(MAKE) -C gate check

modules: kernels
	for kernel in $(KERNELS); do \
		$(MAKE) -C host KERNEL=$$kernel && $(MAKE) -C guest KERNEL=$$kernel || exit 1; done

user: deps
	[ -d build/user ] || meson setup build/user
	ninja -C build/user

demo: all
	demo/run $(KERNELS)

test: all
	tests/run $(KERNELS)

bench: all
	bench/run $(KERNELS)

bench-switch: user
	bench/switch/run

check: all
	tests/check

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build/user* build/host-* build/guest-* build/gate build/machine-tests build/logs

.PHONY: all deps kernels gate modules user demo test bench bench-switch check format clean
