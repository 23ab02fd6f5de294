# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a machine from its page: a form for each part of its hardware.

A form sends only what was changed in it, as `kiban set` does, so that two people who change different things of one
machine both have their way. What cannot be changed now is greyed, with the refusal that the service would give.
"""
