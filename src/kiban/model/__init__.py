# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine is: frozen data and rules on it, with no I/O and no asyncio."""
