/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks as small as the host's. The pages around each of them allow no access, so an overflow
 * faults as in sub.
 */
#include <sys/mman.h>
#include "internal.h"

#define SIZE   (ELISA_STACK_PAGES * ELISA_PAGE_SIZE)
#define STRIDE (SIZE + ELISA_PAGE_SIZE)
#define TOTAL  (ELISA_TEST_VCPUS * STRIDE + ELISA_PAGE_SIZE)

uint8_t *stacks_new(void)
{
	uint8_t *stacks = mmap(NULL, TOTAL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stacks == MAP_FAILED)
		return NULL;
	for (uint32_t vcpu = 0; vcpu < ELISA_TEST_VCPUS; vcpu++)
		if (mprotect(stacks + vcpu * STRIDE + ELISA_PAGE_SIZE, SIZE,
			     PROT_READ | PROT_WRITE)) {
			munmap(stacks, TOTAL);
			return NULL;
		}
	return stacks;
}

void stacks_free(uint8_t *stacks)
{
	if (stacks)
		munmap(stacks, TOTAL);
}

long stacks_call(uint8_t *stacks, uint32_t vcpu, elisa_test_function *function,
		 const long argument[6])
{
	uint8_t *top = stacks + (vcpu + 1) * STRIDE;
	long result;
	register long r8 __asm__("r8") = argument[4];
	register long r9 __asm__("r9") = argument[5];
	long rdi = argument[0], rsi = argument[1], rdx = argument[2], rcx = argument[3];

	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %[top], %%rsp\n\tcall *%%rax\n\tmov %%rbx, %%rsp"
			 : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+c"(rcx), "+r"(r8),
			   "+r"(r9)
			 : "a"(function), [top] "r"(top)
			 : "rbx", "r10", "r11", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3",
			   "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
			   "xmm12", "xmm13", "xmm14", "xmm15");
	return result;
}
