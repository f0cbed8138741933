/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * Processor flaws by the kernel's names (X86_BUG_*, and "bugs" in /proc/cpuinfo). The list says
 * what each flaw means where a guest continues after a call without an exit. The module and
 * "elisactl check" refuse every flaw that is not HARMLESS here. So they also refuse flaws that only
 * a newer kernel knows. docs/security.md has the reasons at length.
 */
#ifndef ELISA_CPU_BUGS_H
#define ELISA_CPU_BUGS_H

/* clang-format off */
#define ELISA_CPU_BUGS(HARMLESS, LEAKS)                                                     \
	/* object data stays in caches, buffers or registers; only an exit flushes them */  \
	LEAKS(L1TF, "l1tf")                                                                 \
	LEAKS(MDS, "mds")                                                                   \
	LEAKS(MSBDS_ONLY, "msbds_only")                                                     \
	LEAKS(TAA, "taa")                                                                   \
	LEAKS(MMIO_STALE_DATA, "mmio_stale_data")                                           \
	LEAKS(MMIO_UNKNOWN, "mmio_unknown")                                                 \
	LEAKS(GDS, "gds")                                                                   \
	LEAKS(RFDS, "rfds")                                                                 \
	/* or some flaw that newer microcode mends: which ones is not known */              \
	LEAKS(OLD_MICROCODE, "old_microcode")                                               \
	/* ignores U/S bits, but needs a translation: default's EPT has none for the object */ \
	HARMLESS(CPU_MELTDOWN, "cpu_meltdown")                                              \
	/* wrong predictions in the function; almost all CPUs have them: "Side channels" */ \
	HARMLESS(SPECTRE_V1, "spectre_v1")                                                  \
	HARMLESS(SPECTRE_V2, "spectre_v2")                                                  \
	HARMLESS(SPECTRE_V2_USER, "spectre_v2_user")                                        \
	HARMLESS(SPEC_STORE_BYPASS, "spec_store_bypass")                                    \
	HARMLESS(RETBLEED, "retbleed")                                                      \
	HARMLESS(BHI, "bhi")                                                                \
	HARMLESS(ITS, "its")                                                                \
	HARMLESS(ITS_NATIVE_ONLY, "its_native_only")                                        \
	/* a kernel's way in, or the host's after an exit: no ring 0 runs in the contexts */ \
	HARMLESS(SWAPGS, "swapgs")                                                          \
	HARMLESS(EIBRS_PBRSB, "eibrs_pbrsb")                                                \
	HARMLESS(VMSCAPE, "vmscape")                                                        \
	/* a code page's size changes under the CPU: contexts' EPTs have 4 KiB leaves only */ \
	HARMLESS(ITLB_MULTIHIT, "itlb_multihit")                                            \
	/* random numbers of other cores; nothing of an object, and no exit would help */   \
	HARMLESS(SRBDS, "srbds")                                                            \
	/* FS and GS keep their base: the caller's own, which the guarded stub puts back */ \
	HARMLESS(NULL_SEG, "null_seg")                                                      \
	/* waking an idle CPU */                                                            \
	HARMLESS(CLFLUSH_MONITOR, "clflush_monitor")                                        \
	HARMLESS(MONITOR, "monitor")                                                        \
	/* memory of TDX guests is never pinned for an export */                            \
	HARMLESS(TDX_PW_MCE, "tdx_pw_mce")
/* clang-format on */

#endif
