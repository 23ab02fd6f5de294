#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The ACPI power button was pressed.
exec poweroff -f
