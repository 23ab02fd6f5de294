# SPDX-License-Identifier: GPL-2.0-or-later
"""No test here fails because the host is slow, or because of the shell that it is run from."""

import signal

from hypothesis import settings

settings.register_profile("kiban", deadline=None)
settings.load_profile("kiban")

# a shell that runs this in its background has told it to ignore Ctrl-C, which the services here would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)
