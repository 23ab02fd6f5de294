# SPDX-License-Identifier: GPL-2.0-or-later
"""What travels between the service and its callers: bounded, documented types, and their translation to the model."""
