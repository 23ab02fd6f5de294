# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of Hyper-V that consist of several files: a child and its parents, VHD or VHDX, read as one disk.

`runner` finds the parents and starts a confined process, the only one that looks into the files; it serves the disk
read-only over NBD on a Unix socket, where QEMU opens it like any other.
"""
