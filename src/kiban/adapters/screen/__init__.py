# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what stands on a guest's screen."""
