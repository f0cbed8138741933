# SPDX-License-Identifier: GPL-2.0-only
# What host/Makefile and guest/Makefile have in common. A module is built in build/host-KERNEL or
# build/guest-KERNEL, for a kernel that testbed/fetch-kernel has unpacked or for the one that runs:
#   make -C host KERNEL=6.12
#   make -C host KERNEL=running && make -C host KERNEL=running install
# or for any other: KERNEL=name HEADERS=folder.
#   all        proves the gate's code, then modules with warnings as errors
#   modules    needs the compiler only: its pages have to be those that were proven. For users and DKMS
#   install    into the kernel's updates/, below INSTALL_MOD_PATH if that is set
#   uninstall  takes it away
KERNEL ?= 6.1
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
HEADERS ?= $(if $(filter running,$(KERNEL)),/lib/modules/$(shell uname -r)/build,$(ROOT)/build/kernels/$(KERNEL)/headers)
BUILD := $(ROOT)/build/$(PART)-$(KERNEL)
SOURCES := $(wildcard $(ROOT)/$(PART)/*.[chS] $(ROOT)/gate/gate_page.[ch]) $(ROOT)/$(PART)/Kbuild
# the part's folders, for a part that has some
FOLDERS := $(patsubst $(ROOT)/$(PART)/%/,%,$(sort $(dir $(wildcard $(ROOT)/$(PART)/*/*.c))))
kbuild = $(MAKE) -C $(HEADERS) M=$(BUILD) ELISA_ROOT=$(ROOT) ELISA_CFLAGS=$(WERROR)

all:
	$(MAKE) -C $(ROOT)/gate check
	$(MAKE) modules WERROR=-Werror

modules: links
	$(kbuild) modules

# all files again, through sparse
sparse: links
	find $(BUILD) -name '*.o' -delete
	$(kbuild) C=2 CF=-Wsparse-error modules

# modules_install runs depmod only where the headers have a System.map, which Debian's do not
# and "make kernelrelease" there is upstream's name, not the one that the kernel has
release = release=$$(sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' $(HEADERS)/include/generated/utsrelease.h)
depmod = depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $$release
install:
	$(kbuild) INSTALL_MOD_DIR=updates modules_install
	$(release) && $(depmod)

uninstall:
	$(release) && rm -f $(INSTALL_MOD_PATH)/lib/modules/$$release/updates/$(MODULE).ko* && $(depmod)

# those that an older tree has left lead nowhere, or hide a file that is in a folder now
links:
	mkdir -p $(BUILD) $(FOLDERS:%=$(BUILD)/%)
	find $(BUILD) -xtype l -delete
	ln -sfr $(SOURCES) $(BUILD)/
	for folder in $(FOLDERS); do ln -sfr $(ROOT)/$(PART)/$$folder/*.[ch] $(BUILD)/$$folder/ || exit 1; done

clean:
	rm -rf $(BUILD)

.PHONY: all modules sparse install uninstall links clean
