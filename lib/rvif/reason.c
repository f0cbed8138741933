/* SPDX-License-Identifier: Apache-2.0 */
/* The text for each reason of a refusal. Each value of enum rvif_reason must have a text. */
#include <rvif/driver.h>

static const char *const reasons[RVIF_REASONS] = {
	[RVIF_OK] = "no error",
	[RVIF_BAD_ALIGNMENT] = "the region does not begin at a multiple of 128",
	[RVIF_BAD_MAGIC] = "no rvif region (wrong magic number)",
	[RVIF_BAD_VERSION] = "another version of rvif",
	[RVIF_BAD_RESERVED] = "a reserved byte of the configuration is not 0",
	[RVIF_BAD_QUEUES] = "number of queues is not from 1 to 128",
	[RVIF_BAD_RING] = "ring size is not a power of two from 8 to 32768",
	[RVIF_BAD_BUFFER] = "buffer size is not from 512 to 65535",
	[RVIF_BAD_FRAME] = "longest frame is not from 64 to 65535 and at most 64 buffers",
	[RVIF_BAD_FEATURES] = "TSO without checksum offload",
	[RVIF_BAD_MAC] = "MAC address is a group's",
	[RVIF_BAD_SIZE] = "region size exceeds the memory that is there, or 4 GiB",
	[RVIF_TOO_SHORT] = "region has no room for its rings and one buffer",
	[RVIF_BAD_INDEX] = "a queue has more posted than its ring holds",
	[RVIF_TOO_MANY_QUEUES] = "more queues than the switch was set up for",
	[RVIF_NO_PORT] = "the switch has no such port free",
	[RVIF_MAC_IN_USE] = "another port has this MAC address",
	[RVIF_MAC_NOT_ALLOWED] = "the port was given another MAC address",
	[RVIF_NO_TABLE_ROOM] = "no room in the forwarding table for the MAC address",
	[RVIF_NOT_UP] = "the driver is down or was started anew",
	[RVIF_NO_VLAN] = "no room in the switch for the VLANs of the port",
};

const char *rvif_strreason(int reason)
{
	if (reason < 0 || reason >= RVIF_REASONS || !reasons[reason])
		return "unknown reason";
	return reasons[reason];
}
