# SPDX-License-Identifier: GPL-2.0-or-later
"""What lives in time: machines, jobs, events, supervision."""
