# SPDX-License-Identifier: GPL-2.0-or-later
"""What a route works with: the host, the commands, and what this caller may do.

A route names a command; whether the caller may run it, and whether it runs now or as a job, is decided here and
nowhere else. A request that came through no gate (`kiban.api.gate`) has no role and may do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Response
from starlette.requests import HTTPConnection

from kiban.engine.jobs import LIVE, Job
from kiban.engine.progress import Progress
from kiban.engine.tokens import Caller
from kiban.errors import NotAllowed
from kiban.model.roles import RIGHTS, Permission, Role
from kiban.problem import from_problem
from kiban.wire import answers, translate

if TYPE_CHECKING:
    from kiban.commands.registry import Command
    from kiban.engine.host import Host

Responses = dict[int | str, dict[str, Any]]
"""What a route answers beyond its model, for the OpenAPI document."""
Wait = Annotated[
    float,
    Query(ge=0, le=300, allow_inf_nan=False, description="Answer when the job is over, or after this many seconds."),
]


@dataclass(frozen=True)
class Session:
    """One caller's way to the commands."""

    host: Host
    commands: Mapping[str, Command]
    role: Role | None

    def allow(self, permission: Permission) -> None:
        """NotAllowed unless the caller's role has the permission."""
        if self.role is not None and permission in RIGHTS[self.role]:
            return
        enough = next(role for role, rights in RIGHTS.items() if permission in rights)
        raise NotAllowed(
            f"This token may not do that: its role is {self.role or 'none'}.", f"It takes a token of role {enough}."
        )

    def may(self, command: str) -> bool:
        """Whether the caller's role is enough for a command."""
        return self.role is not None and self.commands[command].permission in RIGHTS[self.role]

    async def run(self, command: str, *arguments: Any) -> Any:
        """Run a command now and return what it returns."""
        found = self.commands[command]
        self.allow(found.permission)
        return await found.function(self.host, *arguments)

    async def shown(self, command: str, *arguments: Any) -> answers.Machine:
        """Run a command that returns the view of a machine."""
        return translate.machine(await self.run(command, *arguments))

    def begin(
        self,
        command: str,
        machine: str,
        *arguments: Any,
        plain: Callable[[Any], Any] = translate.machine_json,
        **options: Any,
    ) -> Job:
        """Begin a command as a job on `machine`.

        `plain` makes JSON of what the command returns, the view of a machine where nothing else is said.
        """
        found = self.commands[command]
        self.allow(found.permission)

        async def work(progress: Progress) -> Any:
            more = {**options, "progress": progress} if found.job else options
            result = await found.function(self.host, *arguments, **more)
            return None if result is None else plain(result)

        return self.host.jobs.run(command, machine, work)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop, which takes the permission to begin it; it has stopped once its state says so."""
        name = self.host.jobs.get(job_id).command
        self.allow(self.commands[name].permission if name in self.commands else "manage")
        return self.host.jobs.cancel(job_id)

    async def job(
        self, command: str, machine: str, *arguments: Any, wait: float, answer: Response, **options: Any
    ) -> answers.Job:
        """Begin a command as a job (see `begin`) and answer with it: 202 while it goes on, 200 once it is done.

        Raises what the job failed with, if it fails within `wait` seconds.
        """
        job = self.begin(command, machine, *arguments, **options)
        if wait:
            job = await self.host.jobs.wait(job.id, wait)
        if job.error is not None:
            raise from_problem(job.error)
        answer.status_code = 202 if job.state in LIVE else 200
        answer.headers["Location"] = f"/v1/jobs/{job.id}"
        return answers.Job.model_validate(job)

    async def machine_job(
        self, command: str, name: str, *, wait: float, answer: Response, **options: Any
    ) -> answers.Job:
        """A job on a machine, which must exist."""
        machine = self.host.find(name).name
        return await self.job(command, machine, name, wait=wait, answer=answer, **options)


async def _session(request: HTTPConnection) -> Session:
    state = request.app.state
    caller: Caller | None = request.scope.get("kiban.caller")
    return Session(state.host, state.commands, None if caller is None else caller.role)


Api = Annotated[Session, Depends(_session)]
