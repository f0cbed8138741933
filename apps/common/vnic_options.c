/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that are drivers of a vNIC share. */
#include "vnic_options.h"

#include <errno.h>
#include <rvif/elisa.h>
#include <string.h>

int option_address(const struct program_option *option, const char *text, void *to)
{
	(void)option;
	return rvif_parse_mac(text, to);
}

int option_station(const struct program_option *option, const char *text, void *to)
{
	uint8_t mac[6];

	(void)option;
	if (rvif_parse_mac(text, mac) || !rvif_mac_is_station(mac))
		return -EINVAL;
	memcpy(to, mac, sizeof(mac));
	return 0;
}

static const char over_elisa[] = "elisa:";

/* Returns the part that names the export or its ticket; NULL: the vNIC is a file. */
static const char *export_of(const char *where)
{
	const size_t length = sizeof(over_elisa) - 1;

	return strncmp(where, over_elisa, length) ? NULL : where + length;
}

int vnic_open_for(struct rvif_vnic *vnic, const char *where, const struct rvif_config *config,
		  const struct rvif_access *access)
{
	const char *export_ = export_of(where);

	return export_ ? rvif_open_for(vnic, &rvif_over_elisa, export_, config, access) :
			 rvif_open_for(vnic, &rvif_shared_file, where, config, access);
}

const char *vnic_error(const char *where, int error)
{
	if (export_of(where) && error != -EOPNOTSUPP)
		return rvif_elisa_error();
	return error == -EBUSY ? "another driver uses it" : strerrordesc_np(-error);
}

int vnic_check_access(const struct program *program, const char *where,
		      const struct rvif_access *access)
{
	if (!export_of(where) || (!access->mode && !access->has_group))
		return 0;
	return options_wrong(program, "--mode and --group are for a file, not for %s", where);
}
