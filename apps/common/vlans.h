/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of VLANs as operators write them: numbers from 1 to 4094 and ranges, "10,20-29". */
#ifndef COMMON_VLANS_H
#define COMMON_VLANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VLANS_WORDS 64

/* Bit v of the words: VLAN v. Also with '+' between the items. False: text is no such list. */
bool vlans_parse(const char *text, uint64_t vlans[VLANS_WORDS]);

/* How many they are. */
uint32_t vlans_count(const uint64_t vlans[VLANS_WORDS]);

/* The list in its shortest form into text, which always ends with a 0. */
void vlans_print(const uint64_t vlans[VLANS_WORDS], char *text, size_t size);

#endif
