# SPDX-License-Identifier: GPL-2.0-or-later
"""The answer in words: one sentence that names device, file, signer and what is missing, and the command that mends it.

The verdict is that of what would finally run; when nothing would, it is the refusal of the first medium that had a
loader, because that is the one that somebody wanted to boot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from kiban.adapters.bootcheck.certificate import name_of
from kiban.adapters.bootcheck.chain import Attempt, Step
from kiban.adapters.bootcheck.exchange import Asked
from kiban.adapters.bootcheck.locate import Missing
from kiban.model.bootcheck import Medium, Reason, Report, Stage


def conclude(found: Sequence[Attempt], asked: Asked, bytes_read: int) -> Report:
    """The report on all media that were tried."""
    starts = next((attempt for attempt in found if attempt.starts), None)
    refused = next((attempt for attempt in found if attempt.refusal), None)
    if starts is not None:
        return _allowed(found, starts, refused, asked, bytes_read)
    if refused is not None and refused.refusal is not None:
        stage, others = refused.refusal.stage, _others(found, refused)
        sentence = f"{_who(stage)} refuses {name(refused.medium)}: {stage.sentence}{others}"
        return _report(found, stage.reason, sentence, _hint(refused.medium, refused.refusal, asked), bytes_read)
    return _nothing(found, asked, bytes_read)


def _allowed(
    found: Sequence[Attempt], starts: Attempt, refused: Attempt | None, asked: Asked, bytes_read: int
) -> Report:
    deciding = [step for step in starts.steps if step.decides]
    unknown = next((step.stage for step in deciding if step.decision.verdict == "unknown"), None)
    sentence = _boots(starts) if unknown is None else _may_boot(starts, unknown)
    hint = ""
    if refused is not None and refused.refusal is not None:
        stage = refused.refusal.stage
        sentence = " ".join((f"{_who(stage)} refuses {name(refused.medium)}: {stage.sentence}", sentence))
        hint = _hint(refused.medium, refused.refusal, asked)
    return Report(
        verdict="unknown" if unknown else "allowed",
        reason=unknown.reason if unknown else "",
        sentence=f"{sentence} {starts.note}".rstrip(),
        hint=hint,
        stages=_stages(found),
        bytes_read=bytes_read,
    )


def _boots(attempt: Attempt) -> str:
    by = dict.fromkeys(step.stage.decided_by for step in attempt.steps if step.decides and step.stage.decided_by)
    kinds = dict.fromkeys(step.stage.kind for step in attempt.steps)
    way, path = " → ".join(kinds), attempt.steps[0].stage.path
    allowed = " and ".join(by)
    return f"{name(attempt.medium)} boots: {way} from {path}{f', allowed by {allowed}' if by else ''}."


def _may_boot(attempt: Attempt, unknown: Stage) -> str:
    return f"Whether {name(attempt.medium)} boots is not known: {unknown.sentence}"


def _nothing(found: Sequence[Attempt], asked: Asked, bytes_read: int) -> Report:
    """No loader anywhere. A medium that holds something says more than an empty drive or an idle adapter."""
    gaps = [attempt.missing for attempt in found if attempt.missing]
    if not gaps:
        return _report(found, "no-medium", "There is nothing to boot from.", "", bytes_read)
    telling = next((gap for gap in gaps if gap.reason not in ("no-medium", "no-loader")), None)
    chosen = telling or next((gap for gap in gaps if gap.reason != "no-medium"), gaps[0])
    rest = [gap for gap in gaps if gap is not chosen]
    sentence = " ".join(f"{name(gap.medium)} {gap.because.rstrip('.')}." for gap in [chosen, *rest])
    report = _report(found, chosen.reason, sentence, _hint_missing(chosen, asked), bytes_read)
    return replace(report, verdict="unknown") if any(gap.unknown for gap in gaps) else report


def _report(found: Sequence[Attempt], reason: Reason, sentence: str, hint: str, bytes_read: int) -> Report:
    return Report(
        verdict="refused", reason=reason, sentence=sentence, hint=hint, stages=_stages(found), bytes_read=bytes_read
    )


def _stages(found: Sequence[Attempt]) -> tuple[Stage, ...]:
    return tuple(step.stage for attempt in found for step in attempt.steps)


def _others(found: Sequence[Attempt], chosen: Attempt) -> str:
    """What became of the media behind the refused one, since the firmware goes on to them."""
    after = found[found.index(chosen) + 1 :]
    again = [f"{name(attempt.medium)} is refused too." for attempt in after if attempt.refusal]
    missing = [attempt.missing for attempt in after if attempt.missing]
    gaps = [f"{name(gap.medium)} {gap.because.rstrip('.')}." for gap in missing if gap.reason != "no-medium"]
    return "".join(f" {sentence}" for sentence in dict.fromkeys(again + gaps))


def name(medium: Medium) -> str:
    """A medium in words: `dvd0 (debian.iso)`."""
    file = PurePath(medium.path).name
    return medium.device if not file or file == medium.device else f"{medium.device} ({file})"


def _who(stage: Stage) -> str:
    return {"firmware": "The firmware", "grub": "GRUB", "systemd-boot": "systemd-boot"}.get(stage.loaded_by, "shim")


def _hint(medium: Medium, refusal: Step, asked: Asked) -> str:
    match refusal.stage.reason:
        case "signer-not-trusted":
            return _trust_hint(refusal.decision.missing, asked)
        case "unsigned":
            return f"kiban set {asked.machine} --secure-boot off"
        case "hash-revoked" | "certificate-revoked" | "sbat-revoked":
            return _another(medium, asked, "NEWER")
        case "damaged-image" | "damaged-signature":
            return _another(medium, asked, "SOUND")
        case _:
            return _hint_missing(Missing(medium, refusal.stage.reason, ""), asked)


def _trust_hint(missing: str, asked: Asked) -> str:
    wanted = set(missing.split(" or "))  # any of them would do
    having = [name for name, trusted in asked.templates.items() if not wanted.isdisjoint(map(name_of, trusted))]
    if asked.template in having:
        return f"kiban secureboot update {asked.machine}"
    if having:
        return f"kiban set {asked.machine} --template {having[0]}"
    return f"kiban secureboot enroll {asked.machine} --db CERTIFICATE" if missing else _off(asked)


def _off(asked: Asked) -> str:
    return f"kiban set {asked.machine} --secure-boot off"


def _another(medium: Medium, asked: Asked, word: str) -> str:
    if medium.kind == "dvd":
        return f"kiban set {asked.machine} --dvd {word}.iso"
    if medium.kind == "folder":
        return f"Put a {word.lower()} file in its place: ls -l {medium.path}"
    return f"kiban set {asked.machine} --boot dvd --dvd {word}.iso"


def _hint_missing(missing: Missing, asked: Asked) -> str:
    match missing.reason:
        case "wrong-architecture" | "not-efi":
            return f"kiban create OTHER --generation 1 --dvd {PurePath(missing.medium.path).name}"
        case "network-file-missing":
            return f"ls -lR {missing.medium.path}"
        case "unreadable":
            return f"ls -l {missing.medium.path}"
        case _:
            return f"kiban set {asked.machine} --dvd FILE.iso"


def with_secure_boot(report: Report, strict: Report) -> Report:
    """The report on a machine whose Secure Boot is off, with what would become of it otherwise."""
    if strict.verdict != "refused" or report.verdict == "refused":
        return report
    strictly = f"Secure Boot is off. With it on: {strict.sentence}"
    return replace(report, sentence=" ".join((report.sentence, strictly)))
