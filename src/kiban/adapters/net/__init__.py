# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine reaches a network and boots from one.

User-mode networking, the folder a machine boots from over the network, the HTTP server behind HTTP boot, and the option
ROM that gives generation 1's legacy NIC its PXE.
"""
