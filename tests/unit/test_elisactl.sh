#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# elisactl without a module: what check says of made-up hosts, and the exit statuses. It must not
# look at the host that it runs on.
#
#   test_elisactl.sh ELISACTL
set -eu
elisactl=$1
root=$(mktemp -d)
trap 'rm -r "$root"' EXIT

put()
{
	mkdir -p "$root/${1%/*}"
	printf '%s\n' "$2" >"$root/$1"
}

# expect STATUS COMMAND...: its output is in $output.
expect()
{
	_status=0
	_wanted=$1
	shift
	output=$("$@" 2>&1) || _status=$?
	[ "$_status" = "$_wanted" ] || {
		echo "$*: status $_status, not $_wanted: $output"
		exit 1
	}
}

says()
{
	case $output in
	*"$1"*) ;;
	*)
		echo "'$1' is not in: $output"
		exit 1
		;;
	esac
}

harmless="cpu_meltdown spectre_v1 spectre_v2 spectre_v2_user spec_store_bypass retbleed bhi its its_native_only swapgs \
eibrs_pbrsb vmscape itlb_multihit srbds null_seg clflush_monitor monitor tdx_pw_mce"
# no kernel knows the last two
flaws="l1tf mds msbds_only taa mmio_stale_data mmio_unknown gds rfds old_microcode spectre new_flaw"

good_host()
{
	put proc/cpuinfo "processor	: 0
flags		: fpu vmx smep smap pdpe1gb xsave${2:-}
vmx flags	: vnmi ept_x_only ept vpid eptp_switching
bugs		: $harmless${1:-}
bogomips	: 1"
	put proc/sys/kernel/osrelease 6.1.0-56-amd64
	put proc/sys/kernel/ftrace_enabled 1
	put sys/module/kvm_intel/initstate live
	put sys/module/kvm_intel/parameters/ept Y
	put sys/module/kvm_intel/parameters/unrestricted_guest Y
	put sys/module/kvm_intel/parameters/nested Y
	put proc/sys/kernel/perf_event_paranoid 3
	put sys/module/elisa/initstate live
	put sys/module/elisa/parameters/allow_leaky_cpu N
}

expect 1 "$elisactl" --root "$root" check
says 'missing: CPU: vmx'

good_host
expect 0 "$elisactl" --root "$root" check
case $output in *missing:*) exit 1 ;; esac
expect 0 "$elisactl" --root "$root" --json check
says '"ok":true'

put sys/module/kvm_intel/parameters/ept N
expect 1 "$elisactl" --root "$root" check
says 'modprobe kvm_intel ept=1'

for flaw in $flaws; do
	good_host " $flaw"
	expect 1 "$elisactl" --root "$root" check
	says "missing: CPU: flaw $flaw (in the bugs"
	says 'allow_leaky_cpu=1'
	put sys/module/elisa/parameters/allow_leaky_cpu Y
	expect 0 "$elisactl" --root "$root" check
	says "ok: CPU: flaw $flaw is accepted (allow_leaky_cpu is Y"
	case $output in *'not affected'* | *'no flaws'*) exit 1 ;; esac
done
good_host " mds new_flaw"
expect 1 "$elisactl" --root "$root" check
says 'missing: CPU: flaw mds'
says 'missing: CPU: flaw new_flaw'

# a CPU without any flaw has an empty line; no line is no answer
harmless=
good_host
expect 0 "$elisactl" --root "$root" check
says 'ok: CPU: no flaws but harmless ones'
sed -i /bugs/d "$root/proc/cpuinfo"
expect 1 "$elisactl" --root "$root" check
says 'missing: CPU: flaws'

good_host
for paranoid in -1 0 1 2; do
	put proc/sys/kernel/perf_event_paranoid $paranoid
	expect 1 "$elisactl" --root "$root" check
	says "missing: kernel: VMMs cannot use perf (kernel.perf_event_paranoid is $paranoid)"
done
put proc/sys/kernel/perf_event_paranoid 4
expect 0 "$elisactl" --root "$root" check
rm "$root/proc/sys/kernel/perf_event_paranoid"
expect 1 "$elisactl" --root "$root" check

# as 6.1 and 6.12 write it: a kprobe, ELISA and a BPF program, which may be on other functions
good_host
put sys/kernel/tracing/enabled_functions "vmx_vcpu_run [kvm_intel] (2) R   D 	tramp: ftrace_regs_caller+0x0/0x6f
	direct-->eh_run_hook+0x0/0x40 [elisa]
vmx_vcpu_run_other [kvm_intel] (1)     D 	
	direct-->bpf_trampoline_6442573892_1+0x0/0xfa4
kvm_sched_yield [other] (1)     I 
vmx_handle_exit [kvm_intel] (1) R     	tramp: 0xffffffffc0201000 (kprobe_ftrace_handler+0x0/0x1d0)"
expect 0 "$elisactl" --root "$root" check
says "ok: kernel: no livepatch or BPF program on KVM's functions (none in"
# as 7.3 writes it
put sys/kernel/tracing/enabled_functions "vcpu_load [kvm] (1) R   D   M 	tramp: ftrace_regs_caller+0x0/0x61 (call_direct_funcs+0x0/0x20)
	direct-->eh_load_hook+0x0/0x40 [elisa]"
expect 0 "$elisactl" --root "$root" check
put sys/kernel/tracing/enabled_functions "vcpu_load [kvm] (1) R   D   M 	tramp: ftrace_regs_caller+0x0/0x61 (call_direct_funcs+0x0/0x20)
	direct-->bpf_trampoline_6442573892_1+0x0/0xfa4"
expect 1 "$elisactl" --root "$root" check
says 'vcpu_load has a direct call'
put sys/kernel/tracing/enabled_functions "vmx_nmi_allowed [kvm_intel] (1)     D   M 	
	direct(jmp)-->bpf_trampoline_6442573892_1+0x0/0xfa4"
expect 1 "$elisactl" --root "$root" check
says "missing: kernel: no livepatch or BPF program on KVM's functions (vmx_nmi_allowed has a direct call in"
put sys/kernel/tracing/enabled_functions "vcpu_load [kvm] (1)   I   	tramp: 0xffffffffc0201000"
expect 1 "$elisactl" --root "$root" check
says 'vcpu_load is redirected'
rm "$root/sys/kernel/tracing/enabled_functions"

good_host
put sys/module/kvm_intel/parameters/pt_mode 1
expect 1 "$elisactl" --root "$root" check
says 'modprobe kvm_intel pt_mode=0'
put sys/module/kvm_intel/parameters/pt_mode 0
expect 0 "$elisactl" --root "$root" check

for flag in rtm hle; do
	good_host '' " $flag"
	expect 1 "$elisactl" --root "$root" check
	says 'missing: CPU: no transactions (TSX)'
	says 'tsx=off'
done

# a CPU that cannot switch: what is asked for has all that the README lists
good_host
rm "$root/sys/module/elisa/initstate"
sed -i 's/ eptp_switching//' "$root/proc/cpuinfo"
expect 1 "$elisactl" --root "$root" check
says 'missing: CPU: EPTP switching by VMFUNC (cannot tell'
mkdir -p "$root/dev/cpu/0"
head -c 2000 /dev/zero >"$root/dev/cpu/0/msr"
expect 1 "$elisactl" --root "$root" check
says 'missing: CPU: EPTP switching by VMFUNC (MSR 0x491 is 0)'
says 'VMFUNC and SMAP (Broadwell or newer)'

# a kernel that was not tested, before the module is loaded: what its types say
good_host
rm "$root/sys/module/elisa/initstate"
put proc/sys/kernel/osrelease 6.17.0-1-generic
expect 1 "$elisactl" --root "$root" check
says "missing: kernel: KVM's functions are those that the module knows (no types"
says 'not tested'
mkdir -p "$root/sys/kernel/btf"
functions()
{
	"${0%/*}/make_btf.py" "$root/sys/kernel/btf" "$@"
	"$elisactl" --root "$root" check >"$root/said" || true
	output=$(cat "$root/said")
}
functions
says "ok: kernel: KVM's functions are those that the module knows (the types"
functions vmx_vcpu_run='struct kvm_vcpu *, int, int'
says "ok: kernel: KVM's functions"
functions vmx_handle_exit='struct kvm_vcpu *'
says 'kvm_intel:vmx_handle_exit is "int (struct kvm_vcpu *)", not "int (struct kvm_vcpu *, fastpath_t)"'
functions kvm_put_kvm='struct kvm_vcpu *'
says 'kvm:kvm_put_kvm is "void (struct kvm_vcpu *)", not "void (struct kvm *)"'
functions vmx_vcpu_run='u64, struct kvm_vcpu *'
says 'kvm_intel:vmx_vcpu_run is "fastpath_t (u64, struct kvm_vcpu *)"'
functions kvm_put_kvm=
says "missing: kernel: KVM's functions are those that the module knows (no types"
functions
head -c 300 "$root/sys/kernel/btf/kvm" >"$root/short"
cp "$root/short" "$root/sys/kernel/btf/kvm"
expect 1 "$elisactl" --root "$root" check
says "missing: kernel: KVM's functions are those that the module knows (no types"
# one that was tested may lack them; what they say counts there, too
put proc/sys/kernel/osrelease 6.12.117+deb13-amd64
expect 1 "$elisactl" --root "$root" check
says "ok: kernel: KVM's functions"
functions kvm_put_kvm='struct kvm_vcpu *'
says "missing: kernel: KVM's functions are those that the module knows (kvm:kvm_put_kvm"
rm -r "$root/sys/kernel/btf"

good_host
rm "$root/sys/module/elisa/initstate"
put proc/sys/kernel/osrelease 5.10.0
put proc/sys/kernel/ftrace_enabled 0
put proc/cpuinfo 'flags : vmxx'
expect 1 "$elisactl" --root "$root" check
says 'modprobe elisa'
says 'missing: kernel release (5.10.0)'
says 'kernel.ftrace_enabled=1'
says 'missing: CPU: vmx'

none="--device $root/none"
# shellcheck disable=SC2086 # two words
{
	expect 1 "$elisactl" $none vms
	says 'modprobe elisa'
	expect 1 "$elisactl" --device /dev/null stats
	says 'elisactl'
	expect 1 "$elisactl" $none grant --pidfile "$root/nofile" export a
	put run/pid 'not a number'
	expect 1 "$elisactl" $none grant --pidfile "$root/run/pid" export a
	says 'not a number'
	put run/pid 1
	expect 1 "$elisactl" $none grant --pidfile "$root/run/pid" export 'a*'
	says 'modprobe elisa'
}
expect 0 "$elisactl" --help
expect 2 "$elisactl"
expect 2 "$elisactl" nonsense
expect 2 "$elisactl" --nonsense
expect 2 "$elisactl" vms extra
expect 2 "$elisactl" vms --pid 1
expect 2 "$elisactl" grant --pid 0 export a
expect 2 "$elisactl" grant --pid 1 own a
expect 2 "$elisactl" grant --pid 1 export 'a*b'
expect 2 "$elisactl" grant --pid 1 attach a --trusted-manager
expect 2 "$elisactl" grant export a
expect 2 "$elisactl" revoke x

put rules/a.conf '{"rules": [{"vm": {"uid": 0}, "attach": ["a"]}]}'
expect 0 "$elisactl" policy check "$root/rules"
expect 1 "$elisactl" --root "$root" --pid 4711 policy show "$root/rules"
says "no process 4711"
mkdir -p "$root/proc/4711"
put proc/4711/cgroup 0::/machine.slice/a.scope
put proc/4711/status "Uid:	0	0	0	0"
expect 0 "$elisactl" --root "$root" --pid 4711 policy show "$root/rules"
says "/machine.slice/a.scope"
expect 2 "$elisactl" policy
expect 2 "$elisactl" policy nonsense
