/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending threads that sleep in system calls. A signal interrupts their sleep. It is SIGURG, which
 * otherwise does nothing to a process, so that no signal that ends a program is lost.
 */
#ifndef COMMON_INTERRUPT_H
#define COMMON_INTERRUPT_H

#include <pthread.h>

/* Starts a thread that gets no other signal. Returns 0, or -errno. */
int interrupt_start(pthread_t *thread, void *(*work)(void *), void *argument);
/* Waits for a thread that was told to end, and interrupts its sleeps meanwhile. */
void interrupt_join(pthread_t thread);

#endif
