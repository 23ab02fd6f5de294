# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML configuration of Hyper-V up to Windows Server 2012 R2, as a tree of settings like that of a .vmcx.

UTF-16 with a byte order mark; `<configuration>` holds what the path `/configuration` of a .vmcx does, and each value
says its type in an attribute. There is no published description: the types are those of exported machines.
"""

from __future__ import annotations

import base64
import binascii

from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.safexml import Element, parse
from kiban.adapters.foreign.settings import Setting, Value
from kiban.errors import BadInput


def read_settings(blob: Blob) -> Setting:
    """Read a configuration as a tree, whose root has no name and one child, `configuration`; BadInput as `parse`."""
    element = parse(blob)
    if element.name != "configuration" or element.first("properties") is None:
        raise BadInput(
            f"{blob.name} is XML, but no Hyper-V configuration: there is no <configuration> with <properties>.",
            "Name the XML file in the folder Virtual Machines of an export.",
            code="not-a-configuration",
        )
    root = Setting("")
    waiting = [(element, root)]
    while waiting:
        source, parent = waiting.pop()
        setting = Setting(source.name, _value(source, blob.name))
        parent.children.append(setting)
        waiting.extend((child, setting) for child in reversed(source.children))
    return root


def _value(element: Element, name: str) -> Value:
    kind, text = element.attributes.get("type", ""), element.text.strip()
    if element.children or not kind:
        return None
    if kind in ("string", "guid"):
        return element.text
    try:
        return _typed(kind, text)
    except (ValueError, binascii.Error):
        raise damaged(name, f"the {kind} {element.name} is {text[:80]!r}") from None


def _typed(kind: str, text: str) -> Value:
    if kind in ("integer", "long"):
        return _integer(text)
    if kind in ("bool", "boolean"):
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower())
    if kind == "double":
        return float(text)
    if kind == "bytes":
        return base64.b64decode("".join(text.split()), validate=True)
    return text


def _integer(text: str) -> int:
    if len(text) > 20:  # the decimals of 64 bits; int() is slow with very many
        raise ValueError(text[:20])
    return int(text)
