# SPDX-License-Identifier: GPL-2.0-or-later
"""From the firmware to the kernel: each image that is loaded, who loads it, and whether that one lets it.

    firmware ─► shim ─► GRUB ─► kernel         the usual distribution, and its DVD
                 └► fallback ─► firmware ─► shim …    a disk without boot entries
    firmware ─► systemd-boot ─► kernel or unified kernel image
    firmware ─► anything else                  a unified kernel image, Windows Boot Manager, memtest86+

When an image is refused by the firmware, it goes on with the next medium. shim shows what it refuses and waits for a
key before the firmware goes on; a loader whose kernel is refused stays at its prompt. Runs in the confined child.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from kiban.adapters.bootcheck import authenticode, configs, firmware_rule, identify, pe, sbat, shim_rule
from kiban.adapters.bootcheck.decision import Decision, refused
from kiban.adapters.bootcheck.exchange import Opened
from kiban.adapters.bootcheck.locate import Found, Missing, locate
from kiban.adapters.bootcheck.pe import Image
from kiban.adapters.images.source import Budget, Source
from kiban.errors import BadInput, Damaged
from kiban.model.bootcheck import Loader, Medium, Stage
from kiban.model.trust import Trust

MOST_STAGES = 12
"""Images of one chain; shim, its fallback, shim again, GRUB and some kernels are nine."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage with what is not part of the report: the decision behind it, and whether its verdict is the chain's."""

    stage: Stage
    decision: Decision
    decides: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What comes of the firmware's trying one medium. `note` says what could not be looked at."""

    medium: Medium
    steps: tuple[Step, ...] = ()
    missing: Missing | None = None
    note: str = ""

    @property
    def refusal(self) -> Step | None:
        """The step that ends it, None if none does."""
        return next((step for step in self.steps if step.decides and step.decision.verdict == "refused"), None)

    @property
    def starts(self) -> bool:
        """Whether all that has to start does."""
        return bool(self.steps) and self.refusal is None

    @property
    def is_final(self) -> bool:
        """Whether the firmware does not come to the next medium."""
        last = self.refusal
        if last is None:
            return self.starts
        if last.stage.loaded_by == "shim":
            # it powers off when it is itself too old, and shows what it cannot verify until somebody presses a key;
            # what is missing or no program at all it leaves to the firmware (shim.c; seen on OVMF)
            return last.stage.reason not in ("no-loader", "network-file-missing", "damaged-image", "wrong-architecture")
        return last.stage.loaded_by in ("grub", "systemd-boot")


def attempts(media: Sequence[Opened], trust: Trust, budget: Budget) -> list[Attempt]:
    """Try the media in their order, as the firmware does, up to the one that keeps it."""
    found: list[Attempt] = []
    for opened in media:
        found.append(_attempt(opened, trust, budget))
        if found[-1].is_final:
            break
    return found


def _attempt(opened: Opened, trust: Trust, budget: Budget) -> Attempt:
    medium = opened.medium
    try:
        found = locate(opened, budget)
        if isinstance(found, Missing):
            return Attempt(medium=medium, missing=found)
        walk = Walk(found, trust)
        steps = tuple(step for step, _ in zip(walk.steps(), range(MOST_STAGES), strict=False))
    except (Damaged, BadInput) as error:
        return Attempt(medium=medium, missing=Missing(medium, "unreadable", f"cannot be read: {error.message}"))
    return Attempt(medium=medium, steps=steps, note=walk.note)


class Walk:
    """One chain. `note` is for the reader of the report, once `steps` has been walked."""

    def __init__(self, found: Found, trust: Trust) -> None:
        self.note = ""
        self._found = found
        self._trust = trust
        self._shim: Image | None = None  # the one whose rule counts for what comes after it

    def steps(self) -> Iterator[Step]:
        """The chain up to the first refusal, and all kernels that were found."""
        yield from self._from_firmware(self._found.path, self._found.file)

    def _from_firmware(self, path: str, file: Source) -> Iterator[Step]:
        step, image = self._load(path, file, "firmware", self._firmwares_rule)
        yield step
        if image is not None and step.decision.verdict == "allowed":
            yield from self._after(step.stage.kind, path, image)

    def _after(self, kind: str, path: str, image: Image) -> Iterator[Step]:
        if kind == identify.SHIM:
            yield from self._from_shim(path, image)
        elif kind == identify.GRUB:
            yield from self._from_grub(path)
        elif kind == identify.SYSTEMD_BOOT:
            files = configs.boot_entries(self._found.volumes[0])
            yield from self._kernels("systemd-boot", files, [])

    def _from_shim(self, path: str, image: Image) -> Iterator[Step]:
        self._shim = image
        decision = shim_rule.starts(image, self._trust)
        if decision.verdict == "refused":
            yield Step(self._stage(path, self._found.file, "shim", image, decision), decision)
            return
        volume = self._found.volumes[0]
        fallback = volume.find("\\EFI\\BOOT\\fbx64.efi") if path.upper().startswith("\\EFI\\BOOT\\BOOT") else None
        if fallback is not None:
            yield from self._from_fallback("\\EFI\\BOOT\\fbx64.efi", fallback)
            return
        second = configs.beside(path, "grubx64.efi")
        file = volume.find(second)
        if file is None:
            yield self._absent(second)
            return
        step, loaded = self._load(second, file, "shim", self._shims_rule)
        yield step
        if loaded is not None and step.decision.verdict == "allowed":
            yield from self._after(step.stage.kind, second, loaded)

    def _from_fallback(self, path: str, file: Source) -> Iterator[Step]:
        step, image = self._load(path, file, "shim", self._shims_rule)
        yield step
        if image is None or step.decision.verdict != "allowed":
            return
        volume = self._found.volumes[0]
        for target in configs.fallback_targets(volume):
            if (loader := volume.find(target)) is not None and target.upper() != self._found.path.upper():
                self._shim = None
                yield from self._from_firmware(target, loader)
                return
        self.note = f"{path} makes boot entries of the lists in \\EFI, and found none."

    def _from_grub(self, path: str) -> Iterator[Step]:
        files, missing = configs.grub_kernels(self._found.grubs_volumes, path)
        yield from self._kernels("grub", files, missing)

    def _kernels(self, loader: Loader, files: Sequence[configs.File], missing: Sequence[str]) -> Iterator[Step]:
        """The first kernel found decides; the others are for the reader."""
        for number, kernel in enumerate(files):
            step, _ = self._load(kernel.path, kernel.source, loader, self._kernel_rule(loader))
            yield replace(step, decides=number == 0)
        if not files:
            self.note = (
                f"The kernel{f' ({missing[0]})' if missing else ''} is not on a file system that is looked at here, "
                "and was not checked."
            )

    def _kernel_rule(self, loader: Loader) -> Callable[[Image], Decision]:
        if self._shim is not None:
            return self._shim_is_asked
        if loader == "grub" and self._trust.secure_boot:
            return _asks_shim
        return lambda image: firmware_rule.judge(image, self._trust)

    def _firmwares_rule(self, image: Image) -> Decision:
        if image.subsystem in pe.SUBSYSTEMS and image.subsystem != pe.APPLICATION:
            # its boot manager looks at that before anybody asks for signatures (BmIsLoadOptionPeHeaderValid)
            what = pe.SUBSYSTEMS[image.subsystem]
            return refused("no-loader", f"is an {what}, and the firmware boots applications only")
        return firmware_rule.judge(image, self._trust)

    def _shims_rule(self, image: Image) -> Decision:
        assert self._shim is not None  # noqa: S101  # it is shim that asks
        return shim_rule.judge(image, self._shim, self._trust)

    def _shim_is_asked(self, image: Image) -> Decision:
        assert self._shim is not None  # noqa: S101  # it is shim that is asked
        return shim_rule.judge(image, self._shim, self._trust, asked=True)

    def _load(
        self, path: str, file: Source, loader: Loader, judge: Callable[[Image], Decision]
    ) -> tuple[Step, Image | None]:
        try:
            image = pe.parse(file.read, file.size)
            decision = judge(image)
        except Damaged as error:
            words = error.message[:1].lower() + error.message[1:].rstrip(".")
            decision = refused("damaged-image", f"cannot be loaded: {words}")
            return Step(self._stage(path, file, loader, None, decision), decision), None
        return Step(self._stage(path, file, loader, image, decision), decision), image

    def _absent(self, path: str) -> Step:
        on_network = self._found.medium.kind == "folder"
        decision = refused("network-file-missing" if on_network else "no-loader", "is missing")
        return Step(self._stage(path, None, "shim", None, decision), decision)

    def _stage(self, path: str, file: Source | None, loader: Loader, image: Image | None, decision: Decision) -> Stage:
        kind = identify.kind(image) if image else "file"
        return Stage(
            device=self._found.medium.device,
            path=path,
            kind=kind,
            loaded_by=loader,
            architecture=image.architecture if image else "",
            size=file.size if file else 0,
            sha256=firmware_rule.sha256(image) if image else "",
            signers=authenticode.signers(image) if image else (),
            sbat=sbat.of_image(image) if image else (),
            verdict=decision.verdict,
            reason=decision.reason,
            decided_by=decision.decided_by,
            sentence=f"{path} ({kind}) {decision.because}." if image else f"{path} {decision.because}.",
        )


def _asks_shim(image: Image) -> Decision:
    return Decision(verdict="unknown", because="is for GRUB to judge, which asks shim, and shim was not loaded")
