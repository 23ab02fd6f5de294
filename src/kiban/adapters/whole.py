# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that must not be left in the middle when a job is cancelled: clearing up, and what a thread is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` to its end, also when the caller is cancelled meanwhile, who hears of that afterwards.

    `asyncio.shield` alone would let the caller go on while the work still does, outside of every lock.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # has been looked at: the cancellation is what the caller hears
        raise cancelled
    return task.result()


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` to its end, with what it returns: for the step by which what was wanted comes to be.

    A cancellation meanwhile comes at the caller's next wait instead; if there is none, it came too late. Should the
    work fail, that is what the caller hears.
    """
    task, caller = asyncio.ensure_future(work), asyncio.current_task()
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
            if caller is not None:
                caller.uncancel()
    result = task.result()
    if cancelled and caller is not None:
        caller.cancel()
    return result


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread`, but waiting for the thread even if cancelled: it cannot be stopped, and it uses files."""
    return await whole(asyncio.to_thread(function, *args, **kwargs))
