/* SPDX-License-Identifier: Apache-2.0 */
/* What code.S and exits.c agree on; addresses are guest-physical and virtual alike. */
#define SEEN_AT	     0x6000
#define STOP_AT	     0x6800
#define FRESH_AT     0x1000000

#define TO_VMM	     0x13 /* the port of the OUTs that are counted */
#define VECTOR	     0x40
#define TIMER_DELAY  50000 /* instructions from arming the timer to its interrupt */
#define SPIN	     3	   /* instructions of a round of spin */

#define TSC_DEADLINE (1 << 24) /* CPUID 1, ECX */
#define X2APIC	     (1 << 21)
