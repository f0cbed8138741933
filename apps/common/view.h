/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view that is shown repeatedly. On a terminal each view replaces the last one; in a file or a
 * pipe they follow each other.
 */
#ifndef COMMON_VIEW_H
#define COMMON_VIEW_H

#include <stdint.h>
#include <stdio.h>

/* Before the text of a view, which goes to the standard output in the end. */
void view_begin(FILE *to);
void view_rest(double seconds);
/* A counter that began anew has grown from 0. */
double view_per_second(uint64_t is, uint64_t was, double seconds);

#endif
