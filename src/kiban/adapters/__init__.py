# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything outside the process: QEMU, firmware, disks, networks, guests, files. Siblings never import each other."""
