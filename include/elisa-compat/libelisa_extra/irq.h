/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts around calls, as in the research prototype's libelisa-extra. */
#ifndef LIBELISA_EXTRA_IRQ_H
#define LIBELISA_EXTRA_IRQ_H

#include <libelisa.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Has no effect: see vmcall_cli(). */
void elisa_disable_irq_if_enabled(void);

#ifdef __cplusplus
}
#endif

#endif
