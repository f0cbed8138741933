/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared objects for the tests of the ELF loader. A macro chooses one feature for each build. The
 * objects never run in a VM: the tests call their functions where the loader put them.
 */
#define PUBLIC __attribute__((visibility("default")))

PUBLIC long counter = 40;
PUBLIC long zeroes[2048]; /* .bss of several pages */
PUBLIC const char text[] = "constant";
PUBLIC long *const pointer = &counter; /* a relocation in what becomes read-only */

PUBLIC long add(long a, long b);
PUBLIC long (*volatile indirect)(long, long) = add;
extern long maybe(void) __attribute__((weak));

PUBLIC long add(long a, long b)
{
	return a + b;
}

PUBLIC long entry_function(long a, long b)
{
	zeroes[2047]++;
	counter += zeroes[2047];
	if (maybe)
		return maybe();
	return indirect(a, b) + *pointer + text[0];
}

#ifdef WITH_UNDEFINED
extern long not_there(long);

PUBLIC long uses_undefined(long a)
{
	return not_there(a);
}
#endif

#ifdef WITH_TLS
PUBLIC __thread long per_thread = 3;

PUBLIC long uses_tls(void)
{
	return per_thread++;
}
#endif

#ifdef WITH_TLS_EXTERN
extern __thread long elsewhere;

PUBLIC long uses_tls(void)
{
	return elsewhere;
}
#endif

#ifdef WITH_IFUNC
static long chosen(void)
{
	return 1;
}

static long (*choose(void))(void)
{
	return chosen;
}

PUBLIC long picked(void) __attribute__((ifunc("choose")));
PUBLIC long uses_ifunc(void)
{
	return picked();
}
#endif

#ifdef WITH_WX
__asm__(".section .wx, \"awx\", @progbits\n\tret\n\t.text\n");
#endif

#ifdef WITH_CONSTRUCTOR
__attribute__((constructor)) static void construct(void)
{
	counter = 1;
}
#endif

#ifdef WITH_MEMCPY
void *memcpy(void *to, const void *from, unsigned long size);

PUBLIC void copies(void *to, const void *from, unsigned long size)
{
	memcpy(to, from, size);
}
#endif

#ifdef WITH_VECTOR
/* GCC uses a vector register here if it may */
PUBLIC void zero(long *pair)
{
	pair[0] = 0;
	pair[1] = 0;
	counter = pair[1];
}
#endif
