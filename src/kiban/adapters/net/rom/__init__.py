# SPDX-License-Identifier: GPL-2.0-or-later
"""The legacy NIC's option ROM: assembler source, the built ROM, and the script that builds it."""
