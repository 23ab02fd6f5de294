# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU: what it offers, its command line, its process and its monitor."""
