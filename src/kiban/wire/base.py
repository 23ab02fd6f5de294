# SPDX-License-Identifier: GPL-2.0-or-later
"""The words all wire types are made of, each with its bounds.

Bounds here keep a request small and its strings printable; what suits a generation is the contract's to say, in the
words of the contract. Nothing here is used inside Kiban: `kiban.wire.translate` is the door.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kiban.model.contract import check_name

LINE = r"^[^\x00-\x1f\x7f]*$"
"""One line without control characters."""


class Wire(BaseModel):
    """A type that is received: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


class Sent(BaseModel):
    """A type that is sent; made from the attributes of what it shows."""

    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True, use_attribute_docstrings=True)


def number(value: object) -> object:
    """JSON has one kind of number, so 2.0 is an integer; but pydantic would take "2" and true as well."""
    if isinstance(value, (bool, str, bytes)):
        raise ValueError("a number is wanted")  # pydantic makes its error of a ValueError
    return value


MachineName = Annotated[
    str,
    Field(
        examples=["web"],
        json_schema_extra={"maxLength": 63, "minLength": 1, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
    ),
    AfterValidator(check_name),  # its words and its code: a person typed this
]
MachineRef = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name or id of a machine."),
]
DeviceRef = Annotated[
    str,
    Field(min_length=1, max_length=16, pattern=r"^[a-z]+[0-9]*$", description="Id of a device.", examples=["disk1"]),
]
HostPath = Annotated[
    str,
    Field(
        min_length=2,
        max_length=4000,
        pattern=r"^/[^\x00-\x1f\x7f]*$",
        description="Absolute path of a file on the host of the service.",
        examples=["/srv/images/data.vhdx"],
    ),
]
MediumPath = Annotated[
    str,
    Field(
        max_length=4000,
        pattern=r"^(/[^\x00-\x1f\x7f]+)?$",
        description="Absolute path of an image on the host of the service; empty for no medium.",
        examples=["/srv/iso/debian-12.iso"],
    ),
]
Word = Annotated[str, Field(max_length=64, pattern=LINE)]
Whole = BeforeValidator(number)  # stands after the bounds, which belong to the integer itself
Cpus = Annotated[int, Field(ge=1, le=2**31 - 1, description="Virtual processors.", examples=[2]), Whole]
Memory = Annotated[
    int, Field(ge=1024**2, le=2**50, description="Memory in bytes, whole MiB.", examples=[2147483648]), Whole
]
DiskSize = Annotated[int, Field(ge=1, le=2**50, description="Size in bytes.", examples=[21474836480]), Whole]
Port = Annotated[int, Field(ge=1, le=65535), Whole]
Notes = Annotated[str, Field(max_length=16384, pattern=r"^[^\x00]*$", description="Free text.")]


def _address(text: str) -> str:
    return str(ip_address(text))


Address = Annotated[
    str,
    Field(
        max_length=45,
        description="IP address of the host.",
        examples=["127.0.0.1"],
        json_schema_extra={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    ),
    AfterValidator(_address),
]
Seconds = Annotated[float, Field(strict=True, ge=0, le=86400, allow_inf_nan=False, description="Seconds.")]
Flag = Annotated[bool, Field(strict=True)]
