/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake of the functions of libelisa that libelisa-compat uses, without a driver. Exports keep
 * nothing. The stub of an attachment is a function here that returns the sum of its arguments.
 */
#ifndef ELISA_TEST_FAKE_ELISA_H
#define ELISA_TEST_FAKE_ELISA_H

#include <elisa/elisa.h>

struct fake_elisa {
	int open_error, attach_error, map_error;
	uint32_t rights;
	long call_error; /* calls end with this error */
	unsigned int attached, detached, maps;
	uint64_t address, offset, physical; /* of the last map */
	uint32_t prot;
	uint32_t places, stack_vcpus, flags, limit_us;
	uint64_t places_offset, stack_offset;
	size_t stack_size;
	int stack_error;
	int event_fd; /* events are read from there; 0: there are none */
};

extern struct fake_elisa fake_elisa;

#endif
