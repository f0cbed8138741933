/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses of a port; see address.h. */
#include <arpa/inet.h>
#include "address.h"

bool address_add(struct rvs_policy *policy, const char *text)
{
	if (policy->ipv4_count < RVS_MAX_IPS &&
	    inet_pton(AF_INET, text, policy->ipv4[policy->ipv4_count]) == 1)
		policy->ipv4_count++;
	else if (policy->ipv6_count < RVS_MAX_IPS &&
		 inet_pton(AF_INET6, text, policy->ipv6[policy->ipv6_count]) == 1)
		policy->ipv6_count++;
	else
		return false;
	policy->flags |= RVS_CHECK_IP;
	return true;
}
