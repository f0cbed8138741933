/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of the shared-object loader: any bytes, no crash, no page that is writable and
 * executable, no symbol outside of the image. Start it on the objects of the unit tests:
 *   build/fuzz/tests/fuzz/fuzz_elf -max_len=65536 CORPUS build/fuzz/tests/unit
 */
#include <stdlib.h>
#include <elisa/extra.h>
#include "../../lib/extra/elf_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	char text[256];

	if (elf_image_create(&image, data, size, ELISA_OBJECT_BASE, text, sizeof(text)) < 0)
		return 0;
	for (size_t page = 0; page < image.size / ELISA_PAGE_SIZE; page++)
		if ((image.prot[page] & ELISA_PROT_WRITE) && (image.prot[page] & ELISA_PROT_EXEC))
			abort();
	for (size_t i = 0; i < image.symbol_count; i++)
		if (image.symbols[i].at >= image.size ||
		    image.symbols[i].size > image.size - image.symbols[i].at)
			abort();
	elf_image_destroy(&image);
	return 0;
}
