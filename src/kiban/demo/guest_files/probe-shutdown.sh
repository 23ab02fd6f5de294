#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the guest agent calls for guest-shutdown: `shutdown -h -P +0`, `-r` to restart.
case " $* " in
*" -r "*) exec reboot -f ;;
*) exec poweroff -f ;;
esac
