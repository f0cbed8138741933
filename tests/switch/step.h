/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a forward one instruction at a time, with the CPU's trap flag, to stop or disturb it
 * anywhere.
 */
#ifndef STEP_H
#define STEP_H

#include "net.h"

/*
 * Forwards to the end and calls stopped(net, n) after each instruction n, in a world where the
 * sender never ran on: all that the test can see is put back afterwards. Returns how many there
 * were.
 */
uint32_t step_and_stop(struct net *net, uint32_t sender, uint32_t port,
		       void (*stopped)(struct net *net, uint32_t n));

/*
 * Forwards to the end; after so many instructions calls disturb(argument) once. Returns 1 if the
 * end came before.
 */
int step_and_disturb(struct net *net, uint32_t sender, uint32_t port, uint32_t instructions,
		     void (*disturb)(void *argument), void *argument);

#endif
