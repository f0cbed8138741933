/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#define MOST_OWED 1000000u /* a bound, so that no sum overflows, however many calls are stopped */

bool account_charge(struct account *account, uint32_t price, double now)
{
	if (price && now > account->quiet_since)
		account->quiet_since = now;
	account->owed = price < MOST_OWED - account->owed ? account->owed + price : MOST_OWED;
	return account->owed > ACCOUNT_STALLS * ACCOUNT_STALL;
}

uint32_t account_keep_out(struct account *account, double now)
{
	uint32_t seconds = ACCOUNT_FIRST_OUT;

	for (uint32_t i = 0; i < account->evictions && seconds < ACCOUNT_LONGEST_OUT; i++)
		seconds *= 2;
	if (seconds >= ACCOUNT_LONGEST_OUT)
		seconds = ACCOUNT_LONGEST_OUT;
	else
		account->evictions++;
	account->owed = 0;
	account->out_until = account->quiet_since = now + seconds;
	return seconds;
}

uint32_t account_out(const struct account *account, double now)
{
	const double left = account->out_until - now;
	const uint32_t seconds = left > 0 ? (uint32_t)left : 0;

	return seconds + (left > seconds);
}

void account_forgive(struct account *account, double now)
{
	account->owed -= account->owed < ACCOUNT_STALL ? account->owed : ACCOUNT_STALL;
	if (account->evictions && now >= account->quiet_since + ACCOUNT_QUIET)
		account->evictions = 0;
}
