// SPDX-License-Identifier: GPL-2.0-only
/* For the attack "livepatch": NMIs are always allowed. VMs without NMIs do not notice. */
#define FUNCTION "vmx_nmi_allowed"
#include "patch.h"
