# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person can ask for: one plain function each. Faces call these and nothing below them."""
