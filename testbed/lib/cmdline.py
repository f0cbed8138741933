# SPDX-License-Identifier: Apache-2.0
"""Kernel command lines for emulated hosts and their guests. What costs boot time and is no subject
of any test is left out; what is left out must never change how KVM, ftrace or modules work."""

# Boot work that takes most of the emulated boot. A name that a kernel does not have is ignored.
_SKIPPED = (
    "ftrace_check_for_weak_functions", "ftrace_check_sync", "trace_eval_init", "trace_eval_sync",
    "load_system_certificate_list", "init_ima", "init_evm", "cubictcp_register", "jent_mod_init",
)
# Types of the kernel for BPF programs.
_BTF = (
    "kfunc_init", "bpf_prog_test_run_init", "bpf_key_sig_kfuncs_init", "btf_vmlinux_init",
    "bpf_rstat_kfunc_init", "bpf_tcp_ca_kfunc_init", "bpf_dummy_struct_ops_init",
)
_COMMON = ("quiet", "tsc=reliable", "cryptomgr.notests", "no_timer_check", "oops=panic", "panic=-1")
_PROFILES = {
    "fast": ("mitigations=off", "nokaslr"),
    "default": ("mitigations=auto",),
}
PROFILES = tuple(_PROFILES)
# These models' CPUID gives a TSC frequency that their TSC does not have.
_TSC = "tsc_early_khz=100000"
_MODELS = {
    "corei7_skylake_x": (_TSC,),
    "arrow_lake": (_TSC,),
    # It says that it has the state of AMX, and not how large that is.
    "sapphire_rapids": (_TSC, "clearcpuid=amx_tile"),
}


def host(profile, cpu_model, cpus, extra="", weight=1, btf=False, lacks=()):
    words = ["console=ttyS0", *_COMMON, *_PROFILES[profile], f"lpj={400000 * weight}", "reboot=t",
             "initcall_blacklist=" + ",".join(_SKIPPED + (() if btf else _BTF))]
    words += _MODELS.get(cpu_model, ())
    if cpus > 1:
        # Bochs does not skip over the idle time of more than one processor, and grace periods are idle
        # time: rmmod takes 6 times as long without this.
        words.append("rcupdate.rcu_expedited=1")
    if lacks:
        words.append("ELISA_EMULATOR_LACKS=" + ",".join(lacks))  # the first process's environment
    return " ".join(words + extra.split())


def guest(profile):
    words = [*_COMMON, *_PROFILES[profile], "reboot=t", "pci=off", "io_delay=none",
             "initcall_blacklist=" + ",".join(_SKIPPED + _BTF + ("i8042_init",))]
    return " ".join(words)
