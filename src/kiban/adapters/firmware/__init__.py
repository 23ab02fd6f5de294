# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 2's firmware: which build, its variable store, its boot order, its Secure Boot keys and its TPM."""
