# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python SDK: everything the service can do, as methods of one class. The command line is built on it.

It is imported for every command a person types, so it imports nothing that takes long: no pydantic, no HTTP library.
"""

from kiban.client.client import Client, Progress, connect
from kiban.client.events import Events
from kiban.client.records import Com, Disk, Dvd, Event, Finding, Job, Machine, Nic, Record, Version

__all__ = [
    "Client",
    "Com",
    "Disk",
    "Dvd",
    "Event",
    "Events",
    "Finding",
    "Job",
    "Machine",
    "Nic",
    "Progress",
    "Record",
    "Version",
    "connect",
]
