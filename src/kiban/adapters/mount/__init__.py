# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk's content as files on the host, by FUSE: no file system of the kernel's ever sees it."""
