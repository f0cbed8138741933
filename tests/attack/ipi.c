// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU of the guest sends interrupts and NMIs through its local APIC to a vCPU that makes calls.
 *
 * The failure would be an event that is lost, delivered twice, or delivered outside default, or a
 * lost call. The handlers count the events and keep the RIP, and the object counts the calls. The
 * test needs two processors.
 */
#include <pthread.h>
#include "attack.h"

#define CALLS 4000

/*
 * RBX = low word of the ICR; RDI = the address at which the receiver's handler counts; RSI = how
 * many events to send; R8 = events sent. The code sends an event after the previous one was
 * delivered.
 */
CODE(send, "	mov $0xfee00310, %ecx\n"
	   "	movl $0, (%rcx)\n"
	   "	mov $0xfee00300, %ecx\n"
	   "	mov (%rdi), %r8\n"
	   "	lea (%r8,%rsi), %rsi\n"
	   "1:	cmp %r8, (%rdi)\n"
	   "	jne 2f\n"
	   "	cmp %rsi, %r8\n"
	   "	je 3f\n"
	   "	inc %r8\n"
	   "	mov %ebx, (%rcx)\n"
	   "2:	pause\n"
	   "	jmp 1b\n"
	   "3:	out %al, $0x10\n"
	   "	hlt\n");

static struct pair pair;
static struct kvm_regs sender;
static volatile bool sent;

static void *send_all(void *result)
{
	*(struct outcome *)result = run_at(pair.guest, 1, 0, ATTACK_KERNEL, &sender);
	sent = true;
	return NULL;
}

static bool in_default(uint64_t rip)
{
	uint64_t offset = rip - code_page(pair.slot);

	return rip - USER_CODE < 0x10000 ||
	       (offset < PAGE_SIZE && (offset <= ELISA_STRICT_ENTRY(pair.slot) - 3 ||
				       offset >= ELISA_STRICT_RETURN(pair.slot)));
}

static void storm(uint32_t icr, uint64_t counter_at, const uint64_t *rip, unsigned long count)
{
	uint64_t calls = 0, before = *object_data(pair.manager), first;
	struct outcome out, other = {.exit = -1};
	pthread_t thread;

	first = *vm_u64(pair.guest, counter_at);
	sender = (struct kvm_regs){.rbx = icr, .rdi = counter_at, .rsi = count};
	sent = false;
	CHECK(!pthread_create(&thread, NULL, send_all, &other));
	while (!sent) {
		out = call_loop(pair.guest, 0, pair.slot, DO_COUNT, CALLS, NULL);
		calls += CALLS;
		attack_try(!out.exit && !out.error, "exit %#x, error %ld", out.exit, out.error);
		attack_try(!*rip || in_default(*rip), "delivered at %#llx",
			   (unsigned long long)*rip);
		if (out.exit || out.error)
			exit(1);
	}
	pthread_join(thread, NULL);
	attack_tries(count, *vm_u64(pair.guest, counter_at) == first + count ? 0 : count,
		     "IPIs that were lost or came twice");
	attack_try(other.exit == 0, "the sender: exit %#x", other.exit);
	attack_try(*object_data(pair.manager) == before + calls, "calls were lost");
}

int main(void)
{
	unsigned long count = attack_scale(2000);

	pair = attack_pair("t.ipi", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0, 2);
	PLACE(pair.guest, ATTACK_KERNEL, send);
	storm(0x40, SEEN, &seen(pair.guest)->rip, count);
	storm(4 << 8, SEEN + 24, &seen(pair.guest)->nmi_rip, count);
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
