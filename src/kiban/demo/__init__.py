# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration: real guests made from Debian's packages, and what they see of their machines."""
