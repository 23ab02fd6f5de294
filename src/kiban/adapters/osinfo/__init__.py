# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known about guest systems: osinfo-db's profiles, the ISO that holds one, what each wants of a machine."""
