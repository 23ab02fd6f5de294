# SPDX-License-Identifier: GPL-2.0-or-later
"""What firmware would load from a medium, and whether it would be allowed.

Everything here that reads media is given open descriptors and runs in a confined child process: no file is opened by
its path, no program is started, and every length that a medium names is checked before it is believed.
"""
