# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest sees of its machine, asked from inside through the guest agent.

The script reads /sys and /proc alone, so that the answer is the kernel's and not some tool's; it runs in the tiny
guest and in a whole Debian alike.
"""

from __future__ import annotations

from kiban.adapters.guest.agent import Agent
from kiban.demo.guest_build import FILES
from kiban.errors import Failed

Hardware = dict[str, str | list[str]]
"""The keys of SINGLE, each a text, and of MANY, each a list that may be empty."""

SINGLE = (
    *("firmware", "secure_boot", "lockdown", "firmware_vendor", "board", "host_bridge", "kernel"),
    *("cpus", "memory_kib", "tpm"),
)
MANY = ("controller", "disk", "dvd", "floppy", "ps2", "usb_controller", "usb", "input", "video", "com", "nic")


async def look(agent: Agent, *, timeout: float = 60.0) -> Hardware:
    """Return what the guest behind `agent` sees; `firmware` is UEFI or BIOS, `secure_boot` on, off or none.

    PCI devices read `vendor:device driver`, controllers with IDE, SATA, NVMe or SCSI before that, `none` for no driver.

    Raises:
        Failed: the guest could not run the script or printed something else.
        TimedOut: it took more than `timeout` seconds.
    """
    script = (FILES / "hardware.sh").read_bytes()
    outcome = await agent.run(["/bin/sh"], stdin=script, timeout=timeout)
    if outcome.exit != 0:
        last = outcome.stderr.decode(errors="replace").strip()[-200:]
        raise Failed(f"The hardware script failed in the guest with exit code {outcome.exit}: {last}")
    return parse(outcome.stdout)


def parse(output: bytes) -> Hardware:
    """Turn the script's `key<TAB>value` lines into a table; texts are stripped of control characters.

    Raises:
        Failed: a line has no such form, or the report does not name the firmware.
    """
    report: Hardware = dict.fromkeys(SINGLE, "")
    lists: dict[str, list[str]] = {key: [] for key in MANY}
    for line in output.decode(errors="replace").splitlines():
        key, tab, value = line.partition("\t")
        value = "".join(c for c in value if c.isprintable()).strip()[:200]
        if key in lists:
            lists[key].append(value)
        elif tab and key in report:
            report[key] = value
        else:
            raise Failed(f"The hardware report of the guest holds a line that is none of its own: {line[:80]!r}")
    if not report["firmware"]:
        raise Failed("The hardware report of the guest does not name its firmware.")
    return report | lists
