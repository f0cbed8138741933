#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each function that a library exports has a page in section 3: pages.py FOLDER LIBRARY..."""
import os
import subprocess
import sys

folder, libraries = sys.argv[1], sys.argv[2:]
missing = count = 0
for library in libraries:
    said = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        _, kind, symbol = line.split()
        name, _, version = symbol.partition("@@")
        # for a library of the same release only
        if kind != "T" or version == "ELISA_INTERNAL":
            continue
        count += 1
        if not os.path.exists(os.path.join(folder, name + ".3")):
            print(f"{os.path.basename(library)}: {name}() has no page")
            missing += 1
print(f"{count} functions, {missing} without a page")
sys.exit(missing > 0 or count == 0)
