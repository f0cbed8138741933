/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view that is shown repeatedly. On a terminal, each view replaces the last one. In a file or a
 * pipe they follow each other.
 */
#ifndef COMMON_VIEW_H
#define COMMON_VIEW_H

#include <stdint.h>
#include <stdio.h>

/* Begins the text of a view, which is later written to the standard output. */
void view_begin(FILE *to);
void view_rest(double seconds);
/* Returns the rate of a counter. A counter that began anew has grown from 0. */
double view_per_second(uint64_t is, uint64_t was, double seconds);

#endif
