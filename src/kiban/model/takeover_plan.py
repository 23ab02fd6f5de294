# SPDX-License-Identifier: GPL-2.0-or-later
"""From a foreign machine to the machine that Kiban makes of it: pure, and refused or fitted where the contract says so.

What the contract does not have is fitted where the guest will not mind (a disk finds another controller, the number of
processors is lowered), said in `left_out` where something is lost, and refused where neither will do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kiban.errors import BadInput, NotFound
from kiban.model import contract, takeover_advice
from kiban.model.foreign import ForeignBootClass, ForeignCheckpoint, ForeignMachine
from kiban.model.generations import Generation, generation
from kiban.model.requests import ComRequest, MachineRequest, NicRequest
from kiban.model.takeover import CheckpointRow, DiskFacts, ForeignPlan, ImportRequest, Notebook
from kiban.model.takeover_drives import Drives, Target, place_drives
from kiban.model.takeover_nics import plan_nics
from kiban.model.units import format_size

MIB = 1 << 20
NOTES_LIMIT = 16384
WINDOWS_TEMPLATE = "microsoft-windows"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known beyond the description.

    `disks` are the facts of the machine's disks in their order; `templates` gives a Secure Boot template by Hyper-V's
    id; `windows` says whether the guest that was named is a Windows, None where none was named.
    """

    title: str
    path: str
    disks: Sequence[DiskFacts]
    templates: Mapping[str, str]
    windows: bool | None


def chosen(machine: ForeignMachine, checkpoint: str | None) -> ForeignMachine:
    """The state that is wanted: the present one, or a checkpoint's, with the tree of checkpoints in any case.

    Raises NotFound when there is none of that name or id, BadInput when several have the name.
    """
    if checkpoint is None:
        return machine
    wanted = checkpoint.lower()
    by_id = [c for c in machine.checkpoints if c.id.lower() == wanted]
    found = by_id or [c for c in machine.checkpoints if c.name.lower() == wanted]
    if not found:
        known = ", ".join(c.name for c in machine.checkpoints[:20]) or "none"
        raise NotFound(f"There is no checkpoint {checkpoint[:80]!r}.", f"There are: {known}.", code="no-checkpoint")
    if len(found) > 1:
        raise BadInput(
            f"{len(found)} checkpoints are called {checkpoint[:80]!r}.",
            f"Say which by its id: {', '.join(c.id for c in found[:10])}",
            code="ambiguous-checkpoint",
        )
    one = found[0]
    return replace(one.machine, name=machine.name, checkpoints=machine.checkpoints, current_checkpoint=one.id)


def check_whole(machine: ForeignMachine) -> None:
    """NotFound, naming all of them, when files of disks are missing: a machine is taken over whole."""
    missing = [disk.path for disk in machine.disks if disk.file is None]
    if missing:
        listed = ", ".join(_shown(path) for path in missing[:10])
        raise NotFound(
            f"{'A disk' if len(missing) == 1 else f'{len(missing)} disks'} of {_shown(machine.name)} cannot be found: "
            f"{listed}.",
            "Copy it beside the description, or into 'Virtual Hard Disks' there.",
            code="missing-disk",
        )


def which_generation(machine: ForeignMachine, wanted: int | None, path: str) -> Generation:
    """The generation that the source says, or the one that was asked for where it does not."""
    if machine.generation is None:
        if wanted is None:
            raise BadInput(
                f"{path} does not say which generation its machine is of.",
                "Say --generation 2 if it starts by UEFI, --generation 1 if by a BIOS.",
                code="which-generation",
            )
        return generation(wanted)
    if wanted not in (None, machine.generation):
        raise BadInput(
            f"{_shown(machine.name)} is of generation {machine.generation}, and a generation never changes: its guest "
            "is installed for that firmware.",
            f"Leave out --generation {wanted}.",
            code="other-generation",
        )
    return generation(machine.generation)


def make(machine: ForeignMachine, asked: ImportRequest, known: Known) -> ForeignPlan:
    """The plan for a machine whose disks have all been found.

    Raises:
        BadInput: no generation is known, or another one is asked for; more disks than a generation has room for.
        NotFound: files of disks are missing.
    """
    check_whole(machine)
    gen = which_generation(machine, asked.generation, known.path)
    book = Notebook()
    windows = _is_windows(machine, gen, known)
    name = _name(machine, asked, book)
    book.row("generation", _generation_there(machine), f"{gen.number} ({gen.firmware.upper()})")
    secure = _firmware(machine, gen, known, windows, book)
    cpus, memory = _cpus(machine, gen, book), _memory(machine, gen, book)
    drives = place_drives(machine, Target(gen, windows, asked.lazy), known.disks, book)
    nics = plan_nics(machine, gen, windows, book)
    request = MachineRequest(
        name=name,
        generation=gen.number,
        cpus=cpus,
        memory=memory,
        disks=drives.disks,
        dvds=drives.dvds,
        floppy=_floppy(machine, gen, book),
        nics=nics,
        boot=_boot(machine, gen, drives, nics or (), book),
        pxe_protocol=machine.pxe_protocol if gen.number == 2 else None,
        secure_boot=secure[0],
        template=secure[1],
        pause_after_boot_failure=machine.pause_after_boot_failure if gen.number == 2 else None,
        tpm=_tpm(machine, gen, book),
        coms=_coms(machine, book),
        guest=asked.guest,
        autostart=machine.autostart is True,
        notes=_notes(machine, book),
    )
    if machine.autostart:
        book.row("start with the host", "yes", "yes")
    takeover_advice.add(machine, gen, windows, request, book.advice)
    return ForeignPlan(
        name=name,
        generation=gen.number,
        title=known.title,
        path=known.path,
        request=request,
        disks=drives.planned,
        rows=tuple(book.rows),
        checkpoints=_tree(machine, book),
        left_out=(*machine.left_out, *book.left),
        advice=tuple(book.advice),
        macs=tuple(nic.mac for nic in request.nics or () if nic.mac),
    )


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:120]


def _is_windows(machine: ForeignMachine, gen: Generation, known: Known) -> bool | None:
    """Whether the guest is a Windows; None where nothing tells.

    On generation 2 the template for Windows refuses every other loader, so what starts with it is one.
    """
    if known.windows is not None:
        return known.windows
    template = known.templates.get(machine.template_id, "")
    if gen.number == 2 and machine.secure_boot and template:
        return template == WINDOWS_TEMPLATE
    return None


def _name(machine: ForeignMachine, asked: ImportRequest, book: Notebook) -> str:
    if asked.name is not None:
        name = contract.check_name(asked.name)
    else:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", machine.name).strip("-._")[:63]
        if not plain:
            raise BadInput(
                f"{_shown(machine.name)!r} cannot be a machine's name here.",
                "Give it one: --name NAME",
                code="bad-name",
            )
        name = contract.check_name(plain)
    book.row("name", _shown(machine.name), name)
    return name


def _generation_there(machine: ForeignMachine) -> str:
    said = {None: "not said", 1: "1", 2: "2"}[machine.generation]
    if machine.origin == "ovf":
        return {"uefi": "UEFI", "bios": "BIOS", None: "not said"}[machine.firmware]
    return f"{said}, configuration {machine.version}" if machine.version else said


def _firmware(
    machine: ForeignMachine, gen: Generation, known: Known, windows: bool | None, book: Notebook
) -> tuple[bool | None, str | None]:
    """Secure Boot and its template; neither on generation 1."""
    if gen.firmware != "uefi":
        return None, None
    # an OVF that says nothing of Secure Boot is of a machine without; a lone disk gets what a new machine has
    on = machine.secure_boot if machine.secure_boot is not None else machine.origin == "disk"
    template = known.templates.get(machine.template_id)
    if machine.template_id and template is None and on:
        book.left.append(f"The Secure Boot template {_shown(machine.template_id)}, which Kiban does not know.")
    if template is None:
        template = WINDOWS_TEMPLATE if windows else contract.DEFAULT_TEMPLATE
    there = "not said" if machine.secure_boot is None else "on" if machine.secure_boot else "off"
    if machine.secure_boot and machine.template_id:
        there += f", {known.templates.get(machine.template_id) or machine.template_id}"
    book.row("Secure Boot", there, f"on, {template}" if on else "off")
    return on, template


def _cpus(machine: ForeignMachine, gen: Generation, book: Notebook) -> int | None:
    if machine.cpus is None:
        return None
    cpus = min(max(machine.cpus, 1), gen.max_cpus)
    book.row("processors", str(machine.cpus), str(cpus))
    if cpus != machine.cpus:
        book.left.append(f"{machine.cpus} processors: a generation {gen.number} machine has {gen.max_cpus} at most.")
    return cpus


def _memory(machine: ForeignMachine, gen: Generation, book: Notebook) -> int | None:
    memory = machine.memory
    if memory is None:
        return None
    size = min(max(memory.startup // MIB * MIB, gen.min_memory), gen.max_memory)
    there = format_size(memory.startup)
    if memory.minimum is not None and memory.maximum is not None:
        span = f"{format_size(memory.minimum)} to {format_size(memory.maximum)}"
        there = f"{there} at the start, dynamic {span}"
        book.left.append(
            f"Dynamic memory ({span}): it has the memory of its start, {format_size(size)}; change it by kiban set "
            "NAME --memory SIZE."
        )
    book.row("memory", there, format_size(size))
    if size != memory.startup and memory.minimum is None:
        book.left.append(f"{memory.startup} bytes of memory, which a generation {gen.number} machine cannot have.")
    return size


def _floppy(machine: ForeignMachine, gen: Generation, book: Notebook) -> str | None:
    floppy = machine.floppy
    if floppy is None:
        return None
    usable = bool(gen.floppy_drives) and floppy.file is not None and floppy.file.path.lower().endswith((".vfd", ".img"))
    book.row("floppy", _shown(floppy.path), floppy.file.path if usable and floppy.file else "empty")
    if not usable:
        book.left.append(f"The floppy {_shown(floppy.path)}.")
        return None
    assert floppy.file is not None  # noqa: S101  # usable says so
    return floppy.file.path


def _tpm(machine: ForeignMachine, gen: Generation, book: Notebook) -> bool:
    if machine.tpm:
        book.row("TPM", "yes", "a new one" if gen.tpm else "none")
        if not gen.tpm:
            book.left.append("The TPM, which a generation 1 machine does not have.")
    return machine.tpm and gen.tpm


def _coms(machine: ForeignMachine, book: Notebook) -> tuple[ComRequest, ...]:
    made: dict[int, ComRequest] = {}
    for com in machine.coms:
        here = "a socket of its own" if com.number in (1, 2) and com.number not in made else "none"
        book.row(f"COM{com.number}", _shown(com.connection), here)
        if here == "none":
            book.left.append(f"COM{com.number}: a machine has COM1 and COM2.")
        elif com.number == 1:
            made[1] = ComRequest(number=1, kind="socket")
        else:
            made[2] = ComRequest(number=2, kind="socket")
    return tuple(made.values())


def _notes(machine: ForeignMachine, book: Notebook) -> str:
    notes = machine.notes.replace("\0", "").encode(errors="replace").decode()
    if notes:
        book.row("notes", f"{len(machine.notes)} characters", "the same" if notes == machine.notes else "without NULs")
    if len(notes) > NOTES_LIMIT:
        book.left.append(f"What the notes say after {NOTES_LIMIT} characters.")
    return notes[:NOTES_LIMIT]


def _boot(
    machine: ForeignMachine, gen: Generation, drives: Drives, nics: Sequence[NicRequest], book: Notebook
) -> tuple[str, ...]:
    """The classes in the source's order, of which there is something to boot from; () for the generation's own."""
    if not machine.boot:
        return ()
    there: dict[ForeignBootClass, bool] = {
        "floppy": gen.floppy_drives > 0,
        "dvd": bool(drives.dvds),
        "disk": any(disk.bus in gen.boot_buses for disk in drives.disks),
        "nic": any(nic.model == gen.pxe_model for nic in nics),
    }
    order = tuple(name for name in machine.boot if there[name])
    if gen.boot_order == "by-class":
        order = (*order, *(c for c in gen.boot_classes if c not in order and there[c]))
    book.row("boot order", ", ".join(machine.boot), ", ".join(order))
    return order


def _tree(machine: ForeignMachine, book: Notebook) -> tuple[CheckpointRow, ...]:
    above: dict[str, ForeignCheckpoint] = {c.id: c for c in machine.checkpoints}
    depths: dict[str, int] = {}
    for checkpoint in machine.checkpoints:  # each after its parent
        depths[checkpoint.id] = depths.get(checkpoint.parent, -1) + 1
    if machine.checkpoints:
        name = above[machine.current_checkpoint].name if machine.current_checkpoint in above else ""
        state = f"the state after {_shown(name)}" if name else "the present state"
        book.left.append(
            f"The {len(machine.checkpoints)} checkpoints: {state} is imported; --checkpoint takes another."
        )
    return tuple(
        CheckpointRow(
            id=c.id,
            name=_shown(c.name),
            created=c.created,
            depth=depths[c.id],
            taken=c.id == machine.current_checkpoint,
        )
        for c in machine.checkpoints
    )
