# SPDX-License-Identifier: Apache-2.0
# Smoke job: the emulated host has KVM, and a QEMU guest on it starts, prints and ends. It must stay
# the first thing to run when anything in the testbed fails.
#
#machine: --with-qemu --role hello=testbed/jobs/hello.sh
set -e
. /testbed/guest.sh

test -c /dev/kvm
tsc "guest start"
guest_start one hello
guest_wait one
tsc "guest end"
grep -q 'hello from' /run/guest-one/console
