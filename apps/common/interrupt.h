/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that sleep in system calls, and have to end: a signal gets them out of their sleep. It is
 * SIGURG, which does nothing to a process otherwise, so that none of the signals that end a program
 * is lost for it.
 */
#ifndef COMMON_INTERRUPT_H
#define COMMON_INTERRUPT_H

#include <pthread.h>

/* A thread that gets no other signal. 0, or -errno. */
int interrupt_start(pthread_t *thread, void *(*work)(void *), void *argument);
/* Waits for its end, which it has been told of, and interrupts what it sleeps in meanwhile. */
void interrupt_join(pthread_t thread);

#endif
