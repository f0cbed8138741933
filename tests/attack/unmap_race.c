// SPDX-License-Identifier: Apache-2.0
/*
 * A manager unmaps a page of its export while a function reads it in a loop on another processor.
 *
 * The attack would succeed if the function still saw the page after the request has returned. The
 * manager then writes a canary to the page, and the test looks whether the function reads it.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "attack.h"

#define PAGE_AT 0x10000 /* offset in the object area */
#define GPA	(OBJECT + 0x20000)
#define CANARY	0xca11ab1e

/* copies 8 bytes of the page at PAGE_AT to the data page, over and over */
CODE(reader, "	movabs $0x601000010000, %rsi\n"
	     "	movabs $0x601000001100, %rdi\n"
	     "1:	mov (%rsi), %rax\n"
	     "	mov %rax, (%rdi)\n"
	     "	incq 8(%rdi)\n"
	     "	jmp 1b\n");

static struct pair pair;
static struct outcome in_thread;

static void *caller(void *unused)
{
	in_thread = call(pair.guest, 0, pair.slot, DO_JUMP, ATTACK_FUNCTION, 0);
	return unused;
}

static void race(void)
{
	volatile uint64_t *seen_there = object_data(pair.manager) + 0x100 / 8;
	struct elisa_hc_page *page = pair.manager->page;
	pthread_t thread;

	memset(page, 0, PAGE_SIZE);
	page->map.id = pair.export_id;
	page->map.prot = ELISA_PROT_READ;
	page->map.offset = PAGE_AT;
	page->map.count = 1;
	page->map.gpa[0] = GPA;
	*vm_u64(pair.manager, GPA) = 1;
	CHECK_EQ(hypercall(pair.manager, 0, ELISA_HC_EXPORT_MAP), 0);
	seen_there[0] = seen_there[1] = 0;
	CHECK(!pthread_create(&thread, NULL, caller, NULL));
	until_at_least(&seen_there[1], 1000);
	memset(page, 0, PAGE_SIZE);
	page->unmap.id = pair.export_id;
	page->unmap.offset = PAGE_AT;
	page->unmap.count = 1;
	CHECK_EQ(hypercall(pair.manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
	*(volatile uint64_t *)vm_u64(pair.manager, GPA) = CANARY;
	usleep(200);
	attack_try(seen_there[0] == 1, "the function reads a page that was taken out");
	pthread_join(thread, NULL);
	attack_try(!in_thread.exit && in_thread.error == ELISA_CALL_FAULT, "exit %#x, error %ld",
		   in_thread.exit, in_thread.error);
	attack_try(attack_pair_works(&pair), "no call afterwards");
}

int main(void)
{
	unsigned long i, count = attack_scale(50);

	pair = attack_pair("t.race", ELISA_EXPORT_GENERAL_REGS, 10000000, ELISA_STUB_TRUSTING, 0,
			   1);
	PLACE(pair.manager, OBJECT + ATTACK_OBJECT, reader);
	for (i = 0; i < count; i++)
		race();
	return 0;
}
