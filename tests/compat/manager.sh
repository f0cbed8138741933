# SPDX-License-Identifier: Apache-2.0
# The manager's VM: servers, and clients beside them.
is 1 "open '/dev/elisa'.*modprobe elisa-guest" server_fails value 7001
modload elisa-guest || exit 1
is 1 "granted this VM to export" server_fails value 7001
echo "ready"
usleep 1000000
server value 7001
server counter 7002
server echo 7003
listens 7001
is 0 "value: 1" client value 7001
is 0 "counter: 100" env COUNTER_CALLS=100 elisa-exec -f /compat_counter.so -p 7002 -s 127.0.0.1
cat /tmp/*-700*
