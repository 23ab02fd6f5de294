# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies on a medium: partition tables, FAT, ISO 9660 and El Torito, as far as booting reads them."""
