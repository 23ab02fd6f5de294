# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images, ISO and floppy images, and the room they take: files only, by name of format, never by probing."""
