/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the programs that are drivers of a vNIC: where it is, its address, and the access to
 * its file. */
#ifndef COMMON_VNIC_OPTIONS_H
#define COMMON_VNIC_OPTIONS_H

#include <rvif/driver.h>
#include "access_options.h"
#include "options.h"

#define STATION_MUST "the MAC address of a station, as 02:00:00:00:00:01"

option_reader option_address; /* uint8_t[6] */
option_reader option_station; /* uint8_t[6], neither a group's nor 0 */

/* Opens a vNIC: a file, or with the prefix "elisa:" the port of an export. Works as
 * rvif_open_for(). */
int vnic_open_for(struct rvif_vnic *vnic, const char *where, const struct rvif_config *config,
		  const struct rvif_access *access);

/* Says in words what vnic_open_for() or rvif_reconnect() has just returned in this thread, and what
 * to do about it. The text is valid until the next call. */
const char *vnic_error(const char *where, int error);

/* Checks that --mode and --group are given for a file only. Returns 0, or the exit status after a
 * message. */
int vnic_check_access(const struct program *program, const char *where,
		      const struct rvif_access *access);

#endif
