# SPDX-License-Identifier: Apache-2.0
# A job that does what the kernel's command line says: it passes, fails or hangs.
case $(cat /proc/cmdline) in
*runner=pass*) [ "$ELISA_TSC_COUNTS" = time ] ;;
*runner=splat*)
	echo "WARNING: CPU: 0 PID: 1 at nowhere.c:1 nothing+0x1/0x2" >/dev/kmsg
	exit 3
	;;
*runner=panic*) echo c >/proc/sysrq-trigger ;;
*) sleep 1000 ;;
esac
