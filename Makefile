# SPDX-License-Identifier: Apache-2.0
# The whole project from one place. Everything that is made lies below build/; kernels and
# tools come from the Debian archive, and nothing is installed but Debian packages.
#
#   make              kernel modules, libraries, tools, examples
#   make demo         three VMs on an emulated host
#   make demo-net     a network between two of them, beside virtio-net
#   make demo-kv      a store between two of them, beside memcached by virtio-net
#   make demo-nested  elisa.ko in a VM that has nested VMX, as a cloud's VM may
#   make test         all tests
#   make attack       all attacks and mutations, up to an hour; a part is in "make test"
#   make mutations    each defence taken away: does its test notice?
#   make soak         10,000 lives and deaths of VMs and processes in calls, then ten minutes of random
#                     traffic through net_rvif and the switch
#   make test-debug   both modules under kernels with KASAN, lockdep, kmemleak, KCSAN, built from Debian's source
#                     first: hours
#   make bench        what a call costs, beside VMCALL and a system call; what the module costs VMs, exit by exit
#   make bench-tenants  what a hostile tenant costs another one, in ten storms
#   make bench-switch  what the switch costs, beside a bare copy; makes docs/bench-switch.png
#   make bench-sub    what copies of the tool kit for functions cost, beside the switch's
#   make bench-kv     instructions of elisa-kv's operations; operations a second, beside a table with one lock and memcached
#   make bench-tap    TCP and ping through rvif-tap and rvs-fwd, beside a Linux bridge with veth pairs
#   make bench-uplink  TCP through an uplink, beside a Linux bridge alone
#   make bench-net    what a packet, TCP and a ping from guest to guest cost the host, beside virtio-net and vhost-net
#   make packages     Debian packages, in build/packages/; RELEASE=12, 13 or all: for which Debian
#   make test-packages  they are installed, upgraded and purged in fresh roots; their modules are loaded
#   make test-debian13  the README's commands, on a bare Debian 13: in a root that has make, git and certificates
#   make check        static analysis, sanitizers, formatting
#   make clean        build/ without the downloaded kernels
# Each for kernel 6.1; KERNEL=6.12, 7.3, 6.12-trixie for another (testbed/fetch-kernel), "6.1 7.3" for two, all for
# 6.1, 6.12 and 7.3. "make test" runs all its tests on the oldest and the newest kernel, and a part on those between. A series
# that the archive has no more is left out, and "make test" counts it as skipped.
KERNEL ?= 6.1
KERNELS := $(if $(filter all,$(KERNEL)),6.1 6.12 7.3,$(KERNEL))
# those that were fetched; expanded after that
HAVE = $(or $(shell for kernel in $(KERNELS); do [ ! -e build/kernels/$$kernel/release ] || echo $$kernel; done), \
	$(error no kernel to run it on: the archive has none of: $(KERNELS)))

# the running Debian's
RELEASE ?= $(shell . /etc/os-release && echo $$VERSION_ID)
RELEASES := $(if $(filter all,$(RELEASE)),12 13,$(RELEASE))

all: emulator modules user gate

deps:
	testbed/install-deps

kernels: deps
	for kernel in $(KERNELS); do testbed/fetch-kernel $$kernel || [ $$? = 3 ] || exit 1; done

# without it the tests run all the same, at half the speed
emulator: deps
	testbed/fetch-emulator

# Bochs with what docs/testbed.md says mended, for "ELISA_EMULATOR=build/emulator-built/bochs"
emulator-built: emulator
	testbed/build-emulator

gate: deps
	$(MAKE) -C gate check

modules: kernels
	for kernel in $(HAVE); do \
		$(MAKE) -C host KERNEL=$$kernel && $(MAKE) -C guest KERNEL=$$kernel || exit 1; done

# without them net_rvif is left out, and "make test" says so
dpdk-headers: deps
	dpdk/fetch-headers || echo "== net_rvif will NOT be built"

user: dpdk-headers
	[ -d build/user ] || meson setup build/user
	! dpdk/fetch-headers --where >/dev/null 2>&1 || [ -e build/user/dpdk/librte_net_rvif.so ] || \
		meson setup --reconfigure build/user
	ninja -C build/user

demo: all
	demo/run $(HAVE)

demo-net: all
	demo/run-net $(HAVE)

demo-nested: all
	demo/run-nested $(HAVE)

demo-kv: all
	demo/run-kv $(HAVE)

test: all
	tests/run $(KERNELS)

attack: all
	tests/attack/run $(HAVE)

mutations: all
	tests/attack/mutations/run

bench: all
	bench/run $(HAVE)

bench-tenants: all
	bench/tenants/run $(HAVE)

bench-switch: user
	bench/switch/run

bench-sub: user
	bench/sub/run

bench-kv: user
	bench/kv/run

bench-uplink: user
	bench/uplink/run

bench-net: all
	bench/net/run $(HAVE)

bench-tap: user
	bench/tap/run

# CYCLES=1000 QEMU_CYCLES=2 SECONDS_OF_TRAFFIC=60 for a shorter one
soak: all
	tests/soak/run $(HAVE)

# CHECKS="debug kcsan", PARTS="machine smp attacks e2e guests driver soak failures", CYCLES=500
test-debug: all
	tests/debug/run $(KERNELS)

packages: deps
	for release in $(RELEASES); do packaging/build $$release || exit 1; done

test-packages: all
	tests/packages/run $(RELEASES)

test-debian13: deps
	tests/release/run 13

check: all
	tests/check

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build/packages build/roots/*-* build/user* build/host-* build/guest-* build/gate build/machine-tests build/switch-image build/attacks build/selftest build/livepatch-* build/mutations build/debug-tests build/logs

.PHONY: all deps dpdk-headers kernels emulator emulator-built gate modules user demo demo-net demo-nested demo-kv test attack mutations soak test-debug bench bench-tenants bench-switch \
	bench-sub bench-kv bench-net bench-tap bench-uplink packages test-packages test-debian13 check format clean
