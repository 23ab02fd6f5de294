# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service says, and what a page says instead, a module per part of the service; see `kiban.web.words.speech`.

`"English": "日本語"`, or `"English": ("English", "日本語")` where the service speaks to the command line and a page has
other words. The command at the end of a hint is no part of it, unless a page has something else to say.
"""

from __future__ import annotations

from kiban.web.words.said import (
    bootcheck,
    contract,
    damaged,
    disks,
    firmware,
    host,
    machines,
    media,
    plans,
    qemu,
    takeover,
    terms,
)

PROGRAMS = (
    *("kiban", "apt", "chmod", "df", "dmesg", "findmnt", "fuser", "id", "kill", "ls", "lsof", "mkdir", "modprobe"),
    *("openssl", "qemu-img", "ss", "tail", "tar", "useradd"),
)
"""What the commands of hints begin with."""
PARTS = (bootcheck, contract, machines, disks, media, plans, takeover, host, qemu, firmware, damaged)
SAID: dict[str, str | tuple[str, str]] = {english: said for part in PARTS for english, said in part.SAID.items()}
CLAUSES = bootcheck.CLAUSES
TERMS = terms.TERMS
OTHERS = frozenset(
    (
        "{name}: {why}",
        "{disk} of {machine}: {why}",
        "synthetic {model}, {mac}, {where}",
        "synthetic, {mac}, {where}",
        "legacy {model}, {mac}, {where}",
        "legacy, {mac}, {where}",
        "no controller said: {disk}",
        "{spot}: empty",
        "{disk}, sectors of 4 KiB",
        "{disk} in {files} files, {size}",
        "({hint})",
        "It has: none.",
        "Hint: {hint}.",
        "{field}: It is missing.",
        "{field}: It takes a path on the host of the machines, from / on.",
        "{field}: Input should be greater than or equal to {least}.",
        "{field}: Input should be less than or equal to {most}.",
        "{field}: String should have at most {most} characters.",
        "{field}: String should have at least {least} character.",
        "{field}: String should match pattern {pattern}.",
        "{field}: Input should be {choices}.",
        "{field}: Value error, {why}.",
    )
)
"""What is not in the source of the service: it is put together of others, or pydantic says it of a field."""
