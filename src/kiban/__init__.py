# SPDX-License-Identifier: GPL-2.0-or-later
"""Kiban: Hyper-V's generation 1 and generation 2 machines on QEMU/KVM."""
