# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines on disk. The directory is the truth: copying it copies the machine."""
