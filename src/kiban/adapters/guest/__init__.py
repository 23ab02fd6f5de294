# SPDX-License-Identifier: GPL-2.0-or-later
"""Speaking with the programs inside a guest: the room of the integration services."""
