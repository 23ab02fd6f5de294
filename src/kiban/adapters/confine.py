# SPDX-License-Identifier: GPL-2.0-or-later
"""The cell in which media are parsed: limits, an unprivileged user, and a seccomp filter.

Called after its last import by each child process that parses. Who takes the process over by a crafted image finds
that it can read the media it was given, use some memory and processor time, and answer: no files, processes, network.
A cell that serves what it reads may besides take further files and clients from sockets that it was given.
"""

from __future__ import annotations

import ctypes
import os
import resource
from dataclasses import dataclass

from kiban.errors import HostLacks

MEMORY = 1 << 30
"""Bytes of address space; the libraries take about a tenth of it."""
CPU_SECONDS = 15
"""Seconds of processor time, an end even to a loop that nobody waits for any more."""

_KILL_PROCESS = 0x80000000  # SCMP_ACT_KILL_PROCESS, like the next two from seccomp.h
_ALLOW = 0x7FFF0000
_DENY = 0x00050000 | 13  # SCMP_ACT_ERRNO(EACCES)
_MASKED_EQUAL = 7  # SCMP_CMP_MASKED_EQ
_PROT_EXEC = 4

_PLAIN = (
    *("read", "pread64", "write", "lseek", "close"),  # of what was inherited; nothing can be opened
    *("brk", "munmap", "mremap", "madvise"),
    *("futex", "rt_sigreturn", "rt_sigaction", "rt_sigprocmask", "sigaltstack", "restart_syscall"),
    *("clock_gettime", "clock_getres", "gettimeofday", "getrandom", "sched_yield", "getpid", "gettid"),
    *("exit", "exit_group"),
)
_LOOKS = ("open", "openat", "stat", "newfstatat", "statx", "access", "faccessat", "readlink", "getcwd")
"""What Python does on its way to a module or a source line that is not loaded: told no, the rest is killed."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a cell may do beyond parsing one question.

    Args:
        calls: system calls.
        files: descriptors that it may have at most, so that it can be handed more; 0: those that it has.
        cpu_seconds: of processor time; None: no end.
    """

    calls: tuple[str, ...] = ()
    files: int = 0
    cpu_seconds: int | None = CPU_SECONDS


class _Compare(ctypes.Structure):
    _fields_ = (  # struct scmp_arg_cmp
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def library() -> ctypes.CDLL:
    """libseccomp, which QEMU needs for its own sandbox. Raises HostLacks."""
    try:
        found = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        raise HostLacks("Media are not looked at without libseccomp.", "apt install libseccomp2") from None
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_init.argtypes = (ctypes.c_uint32,)
    found.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Compare),
    )
    found.seccomp_load.argtypes = (ctypes.c_void_p,)
    return found


_PARSING = Needs()


def enter(uid: int, gid: int, needs: Needs = _PARSING) -> None:
    """Become that user, for root, and give everything up that parsing does not need. There is no way back.

    Raises HostLacks where the kernel has no seccomp filters: the parsers do not run without.
    """
    seccomp = library()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _limit(needs)
    _filter(seccomp, needs.calls)


def _limit(needs: Needs) -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, resource.RLIM_INFINITY if needs.cpu_seconds is None else needs.cpu_seconds),
        (resource.RLIMIT_NOFILE, needs.files),  # 0: no more than it has
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else hard if most == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))


def _filter(seccomp: ctypes.CDLL, calls: tuple[str, ...]) -> None:
    rules = seccomp.seccomp_init(_KILL_PROCESS)
    for name in (*_PLAIN, *calls):
        _add(seccomp, rules, _ALLOW, name)
    for name in _LOOKS:
        _add(seccomp, rules, _DENY, name)
    for name in ("mmap", "mprotect"):  # memory, but none that could be run
        _add(seccomp, rules, _ALLOW, name, _Compare(2, _MASKED_EQUAL, _PROT_EXEC, 0))
    # libseccomp sets no-new-privileges by itself, without which the kernel takes no filter
    if not rules or seccomp.seccomp_load(rules) != 0:
        raise HostLacks(
            "Media are not looked at, because this kernel has no seccomp filters.",
            "Use a kernel with CONFIG_SECCOMP_FILTER; QEMU's own sandbox needs it too.",
        )


def _add(seccomp: ctypes.CDLL, rules: int, action: int, name: str, *compare: _Compare) -> None:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # not on this architecture, such as open on arm64
    seccomp.seccomp_rule_add_array(rules, action, number, len(compare), (_Compare * len(compare))(*compare))
