# SPDX-License-Identifier: Apache-2.0
# The guest driver with the fake host (make -C guest fake), on the machine itself: it needs no KVM.
#
#machine: --no-kvm --cpus 2 --file build/driver_test:/bin/driver_test --timeout 180
#machine: --allow-log 'elisa-guest: vCPU 1 stays offline'
set -e
. /testbed/lib.sh

mkdir -p /mnt
mount -t ramfs none /mnt
modload elisa-guest
driver_test
rmmod elisa_guest
modload elisa-guest
rmmod elisa_guest
