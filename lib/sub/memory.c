/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the C library that compilers call of their own accord, for the code of exports; and
 * strnlen(). They use general registers only, or SSE2, as the compiler is told. They may use string
 * instructions, because the direction flag is 0 when a function is called.
 */
#include <elisa/copy.h>

#define WORD	     8
/*
 * Stands between two rounds of a loop. Without it, the compiler may turn the loop into a call of
 * the very function that contains it.
 */
#define NOT_A_CALL() __asm__ volatile("" : : : "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strnlen(const char *text, size_t limit);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	elisa_copy(to, from, size);
	return to;
}

/* Moves to a higher address. It begins at the end, so it never overwrites bytes that are still to
 * be read. */
static void move_up(uint8_t *to, const uint8_t *from, size_t size)
{
	for (; size >= WORD; size -= WORD) {
		elisa_copy_put(to + size - WORD, elisa_copy_get(from + size - WORD));
		NOT_A_CALL();
	}
	while (size--)
		((volatile uint8_t *)to)[size] = from[size];
}

/* Moves to a lower address. It begins at the beginning, so it never overwrites bytes that are still
 * to be read. */
static void move_down(uint8_t *to, const uint8_t *from, size_t size)
{
	size_t at = 0;

	for (; size - at >= WORD; at += WORD) {
		elisa_copy_put(to + at, elisa_copy_get(from + at));
		NOT_A_CALL();
	}
	for (; at < size; at++)
		((volatile uint8_t *)to)[at] = from[at];
}

void *memmove(void *to, const void *from, size_t size)
{
	const uintptr_t up = (uintptr_t)to - (uintptr_t)from,
			down = (uintptr_t)from - (uintptr_t)to;

	if (up >= size && down >= size)
		elisa_copy(to, from, size);
	else if (up < size)
		move_up(to, from, size);
	else
		move_down(to, from, size);
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	const uint64_t word = 0x0101010101010101ull * (uint8_t)byte;
	uint8_t *at = to, *last = at + size - WORD;

	if (size >= 512) {
		__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
		return to;
	}
	if (size < WORD) {
		while (size--)
			((volatile uint8_t *)at)[size] = (uint8_t)byte;
		return to;
	}
	for (; at < last; at += WORD) {
		elisa_copy_put(at, word);
		NOT_A_CALL();
	}
	elisa_copy_put(last, word);
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *left = a, *right = b;

	for (; size >= WORD; size -= WORD, left += WORD, right += WORD) {
		const uint64_t l = elisa_copy_get(left), r = elisa_copy_get(right);

		if (l != r)
			return __builtin_bswap64(l) < __builtin_bswap64(r) ? -1 : 1;
	}
	for (; size; size--, left++, right++)
		if (*left != *right)
			return *left - *right;
	return 0;
}

size_t strnlen(const char *text, size_t limit)
{
	size_t length = 0;

	while (length < limit && ((const volatile char *)text)[length])
		length++;
	return length;
}
