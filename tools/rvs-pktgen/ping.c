/* SPDX-License-Identifier: Apache-2.0 */
/* ping and pong: one frame at a time, there and back, and how long it took. */
#include "pktgen.h"

#define REPLY_TIMEOUT_NS 1000000000ull

static void take_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	(void)length;
	if (frame->mark.magic == TEST_MAGIC && frame->mark.run == p->run &&
	    frame->mark.sequence == p->expected)
		p->answered = nanoseconds();
}

void ping(struct pktgen *p)
{
	const uint64_t start = nanoseconds();

	if (!tx_room(p, 1)) {
		stop = 1;
		return;
	}
	p->expected = p->sent + 1;
	p->answered = 0;
	put_frame(p, p->expected);
	publish_tx(p);
	while (!p->answered && !stop) {
		if (!take_frames(p, take_answer) && nanoseconds() - start > REPLY_TIMEOUT_NS) {
			p->unanswered++;
			return;
		}
	}
	if (p->answered && p->sample_count < MAX_SAMPLES)
		p->samples[p->sample_count++] = p->answered - start;
	count(&p->received, p->answered != 0);
}

void answer(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	count(&p->received, 1);
	if (!tx_room(p, 1) || length > BUFFER)
		return;
	put_answer(p, frame, length);
	publish_tx(p);
}
