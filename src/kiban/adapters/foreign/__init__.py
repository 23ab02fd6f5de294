# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that come from elsewhere: Hyper-V's configurations and exports, OVF and OVA, lone disks.

`find` says what a path holds, `read` gives its description (`kiban.model.foreign`). Everything read is hostile: sizes
and depths are bounded, links are not followed, and nothing is ever written or extracted.
"""
