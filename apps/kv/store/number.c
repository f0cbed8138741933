/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting. The value is read without the lock, and the new one is stored if the item is still the
 * same. Otherwise it begins again, a bounded number of times.
 */
#include "call.h"

#define DIGITS 20u /* of 2^64 - 1 */
#define TRIES  64u

struct number {
	struct kv_item item;
	uint8_t digits[DIGITS + 4];
};

/* Parses the value. -EDOM: it is no number, or too large. */
static int parse(const struct number *number, uint64_t *value)
{
	*value = 0;
	if (!number->item.length || number->item.length > DIGITS)
		return -EDOM;
	for (uint32_t i = 0; i < number->item.length; i++) {
		const uint8_t digit = number->digits[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return -EDOM;
	}
	return 0;
}

static void print(struct number *number, uint64_t value)
{
	uint8_t digits[DIGITS];
	uint32_t length = 0;

	do
		digits[length++] = (uint8_t)('0' + value % 10);
	while (value /= 10);
	number->item.length = length;
	for (uint32_t i = 0; i < length; i++)
		number->digits[i] = digits[length - 1 - i];
}

static uint64_t result_of(enum kv_op op, uint64_t value, uint64_t difference)
{
	if (op == KV_INCREMENT)
		return value + difference;
	return value < difference ? 0 : value - difference;
}

/* Counts once. *number: out, if the result is not negative. */
static long once(const struct kv_call *call, enum kv_op op, const struct kv_key *key,
		 uint64_t difference, struct number *number)
{
	const struct kv_reply own = {.at = number, .room = sizeof(*number)};
	struct kv_put put = {.op = op, .key = key, .value = number->digits};
	uint64_t value;
	long result = kv_get(call, key, own);

	if (result < 0)
		return result;
	result = parse(number, &value);
	if (result)
		return result;
	print(number, result_of(op, value, difference));
	put.length = number->item.length;
	put.cas = number->item.cas;
	result = kv_put(call, &put);
	if (result > 0)
		number->item.cas = (uint64_t)result;
	return result;
}

long kv_add_number(const struct kv_call *call, enum kv_op op, const struct kv_key *key,
		   uint64_t difference, struct kv_reply reply)
{
	struct number number = {.digits = {0}};
	long result = -ESTALE;

	if (reply.room < sizeof(struct kv_item) + DIGITS)
		return -EMSGSIZE;
	for (uint32_t tries = 0; tries < TRIES && result == -ESTALE; tries++)
		result = once(call, op, key, difference, &number);
	if (result < 0)
		return result == -ESTALE ? -EBUSY : result;
	elisa_copy(reply.at, &number, sizeof(struct kv_item) + DIGITS);
	return (long)number.item.length;
}
