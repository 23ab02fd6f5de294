# SPDX-License-Identifier: GPL-2.0-or-later
"""No test here fails because the host is slow."""

from hypothesis import settings

settings.register_profile("kiban", deadline=None)
settings.load_profile("kiban")
