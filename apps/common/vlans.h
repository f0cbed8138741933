/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of VLANs as operators write them: numbers from 1 to 4094 and ranges, "10,20-29". */
#ifndef COMMON_VLANS_H
#define COMMON_VLANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VLANS_WORDS 64

/* Parses a list; '+' may separate the items, too. Bit v of the words is VLAN v. Returns false if
 * the text is no such list. */
bool vlans_parse(const char *text, uint64_t vlans[VLANS_WORDS]);

/* Returns the number of VLANs. */
uint32_t vlans_count(const uint64_t vlans[VLANS_WORDS]);

/* Prints the list in its shortest form. The text always ends with a NUL. */
void vlans_print(const uint64_t vlans[VLANS_WORDS], char *text, size_t size);

#endif
