/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of segment.c: any headers, with any descriptor's fields. If they are taken for
 * those of a frame that can be cut, the segments have all of its payload, in order, and nothing is
 * written beside the headers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "segment.h"

#define MUST(condition)                                                         \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			abort();                                                \
		}                                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void check_all(struct rvs_segments *cut, uint32_t payload)
{
	const struct rvs_segments first = *cut;
	uint32_t done = 0;

	MUST(cut->count && cut->count <= RVS_MAX_SEGMENTS);
	for (uint32_t n = 0; n < first.count; n++) {
		const uint32_t part = rvs_segments_next(cut);

		MUST(part <= first.size && (part || !payload));
		MUST(get32(cut->head + cut->tcp + 4) == first.sequence + done);
		MUST(!memcmp(cut->head, first.head, first.ip));
		MUST(!memcmp(cut->head + first.length, first.head + first.length,
			     RVS_MAX_HEAD - first.length));
		done += part;
	}
	MUST(done == payload && !cut->left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rvs_segments *cut = calloc(1, sizeof(*cut));
	uint64_t offload;
	uint32_t payload;

	/* as what the switch calls it with: admission has looked at the fields */
	if (cut && size >= 11) {
		memcpy(&offload, data, sizeof(offload));
		payload = (uint32_t)data[8] << 8 | data[9];
		cut->length = size - 11 < RVS_MAX_HEAD ? (uint32_t)size - 11 : RVS_MAX_HEAD;
		memcpy(cut->head, data + 11, cut->length);
		if ((offload >> 32 & 0xffff) && (offload & 0xffff) < cut->length &&
		    rvs_segments_open(cut, data[10] & 1 ? RVIF_GSO_TCP4 : RVIF_GSO_TCP6, offload,
				      payload) == RVS_GOOD)
			check_all(cut, payload);
	}
	free(cut);
	return 0;
}
