# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager: pages in a browser that call the same commands as the API. Light until it is first asked for."""
