# SPDX-License-Identifier: GPL-2.0-or-later
"""secureboot: whose loaders a machine trusts and refuses, in words, and every change of that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kiban.cli.arguments import Name, Output
from kiban.cli.audit import audit
from kiban.cli.explain import explain
from kiban.cli.output import ReportedError, card, print_json, report, say, table, warn
from kiban.cli.session import connect
from kiban.errors import BadInput, KibanError

secureboot = typer.Typer(help="A machine's Secure Boot keys.", no_args_is_help=False)

Files = list[str] | None


@secureboot.command("show")
def show(name: Name, output: Output = "table") -> None:
    """Show whose loaders a machine trusts, what it refuses, and how current that is; also while it runs.

    \b
    Examples:
      kiban secureboot show web
      kiban secureboot show web -o json
    """
    _tell(connect().secure_boot(name), output)


secureboot.command("explain")(explain)
secureboot.command("audit")(audit)


@secureboot.command("enroll")
def enroll(
    name: Name,
    *,
    db: Annotated[Files, typer.Option("--db", metavar="FILE", help="Whose loaders may start.")] = None,
    kek: Annotated[Files, typer.Option("--kek", metavar="FILE", help="Who may change db and dbx from inside.")] = None,
    pk: Annotated[Files, typer.Option("--pk", metavar="FILE", help="The owner, in place of the present one.")] = None,
    mok: Annotated[Files, typer.Option("--mok", metavar="FILE", help="What shim lets pass on top of db.")] = None,
    output: Output = "table",
) -> None:
    """Trust more keys: .pem, .crt, .cer, .der, .esl or .auth files. Wants the machine off.

    \b
    Examples:
      kiban secureboot enroll web --db our-signer.pem
      kiban secureboot enroll web --mok our-kernels.der
    """
    _changed(connect().enroll(name, pk=pk or (), kek=kek or (), db=db or (), mok=mok or ()), output)


@secureboot.command("revoke")
def revoke(
    name: Name,
    what: Annotated[list[str], typer.Argument(metavar="FILE|SHA256…", help="Certificates, EFI programs, hashes.")],
    output: Output = "table",
) -> None:
    """Refuse certificates, EFI programs (by the hash that is signed) and such hashes. Wants the machine off.

    \b
    Examples:
      kiban secureboot revoke web lost-signer.pem
      kiban secureboot revoke web grubx64.efi
    """
    digests = [text.lower() for text in what if _is_digest(text)]
    files = [text for text in what if not _is_digest(text)]
    _changed(connect().revoke(name, files=files, sha256=digests), output)


@secureboot.command("reset")
def reset(
    name: Name,
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="NAME", help="Whose keys; the machine's own template's if not said."),
    ] = None,
    output: Output = "table",
) -> None:
    """Put the keys of a template anew; what was enrolled and revoked since goes. Wants the machine off.

    \b
    Example:
      kiban secureboot reset web
    """
    _changed(connect().reset_keys(name, template), output)


@secureboot.command("update")
def update(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the machine.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All generation 2 machines that are off.")] = False,
    output: Output = "table",
) -> None:
    """Add Microsoft's authorities of 2023 and its newest revocations; keys that are there stay. Wants the machine off.

    Refused where the loader that starts now would not start any more. It can be taken back: kiban secureboot undo.

    \b
    Examples:
      kiban secureboot update web
      kiban secureboot update --all
    """
    if bool(name) == every:
        raise BadInput("Say one machine, or --all.", "kiban secureboot update NAME", code="usage")
    if every:
        _update_all(output)
    else:
        _changed(connect().update_keys(name), output)


@secureboot.command("undo")
def undo(name: Name, output: Output = "table") -> None:
    """Take the last change of keys back; what the guest changed itself since then stays. Wants the machine off.

    \b
    Example:
      kiban secureboot undo web
    """
    _changed(connect().undo_keys(name), output)


def _update_all(output: str) -> None:
    client = connect()
    done, failures = [], []
    for machine in sorted(client.machines(), key=lambda m: str(m.name)):
        if machine.generation != 2 or machine.problem:
            continue
        try:
            keys = client.update_keys(machine.name)
        except KibanError as error:
            failures.append(error)
            report(error, as_json=output == "json")
            continue
        done.append(keys)
        if output != "json":
            say(f"{keys.machine}: {' '.join(keys.notes)}")
    if output == "json":
        print_json(done)
    if failures:
        raise ReportedError(failures[0])


def _changed(keys: Any, output: str) -> None:
    _tell(keys, output)
    if output != "json":
        for note in keys.notes:
            warn(note)


def _tell(keys: Any, output: str) -> None:
    if output == "json":
        print_json(keys)
        return
    card(keys.machine, keys_card(keys))
    say("")
    table(("database", "entry", "expires", "put there by"), keys_rows(keys))


def keys_card(keys: Any) -> dict[str, list[str]]:
    """The rows that say how a machine's keys stand."""
    return {
        "Secure Boot": [_state(keys)],
        "Microsoft's authorities": [_AUTHORITIES.get(keys.authorities, keys.authorities)],
        "revoked": _revoked(keys.dbx),
        "lacks": list(keys.lacks),
        "SBAT level": [_sbat(keys)],
        "shim": _shim(keys),
        "TPM": ["2.0; the keys are measured into PCR 7"] if keys.tpm else [],
        "undo": [keys.undo] if keys.undo else [],
    }


def keys_rows(keys: Any) -> list[tuple[str, str, str, str]]:
    """A row for each entry but the revoked hashes: database, entry, expiry, owner."""
    databases = (
        ("PK", keys.pk),
        ("KEK", keys.kek),
        ("db", keys.db),
        ("dbx", keys.dbx.certificates),
        ("MOK", keys.mok),
        ("MOKX", keys.mokx),
    )
    return [
        (database, key.name or f"{key.kind} {key.sha256}", key.not_after[:10], key.owner)
        for database, entries in databases
        for key in entries
    ]


_AUTHORITIES = {
    "2011-only": "2011 only: media signed only with the keys of 2023 are refused",
    "2023-ready": "2011 and 2023",
    "2023-only": "2023 only: media signed only with the keys of 2011 are refused",
    "none": "none is trusted",
}


def _state(keys: Any) -> str:
    if keys.setup_mode:
        return "off: there is no platform key (setup mode)"
    return f"{'on' if keys.secure_boot else 'off'}, template {keys.template}"


def _revoked(dbx: Any) -> list[str]:
    listed = f"Microsoft's list of {dbx.date}" if dbx.date else "none of Microsoft's list"
    own = f", {dbx.own} not in Microsoft's list" if dbx.own else ""
    lines = [f"{dbx.hashes} loaders by hash, {listed}{own}"]
    if dbx.certificates:
        lines.append(f"{len(dbx.certificates)} by certificate, below")
    return [*lines, *(f"older than {version}" for version in dbx.least_versions)]


def _sbat(keys: Any) -> str:
    if not keys.sbat_date:
        return "none stored: each shim brings its own"
    levels = ", ".join(f"{component} {least}" for component, least in keys.sbat.items())
    return f"of {keys.sbat_date}: {levels or 'nothing is revoked'}"


def _shim(keys: Any) -> list[str]:
    off = [] if keys.shim_validation else ["its checks are switched off by the machine's owner"]
    return off if keys.shim_uses_db else [*off, "it trusts its own list only, not db"]


def _is_digest(text: str) -> bool:
    return len(text) == 64 and not text.lower().strip("0123456789abcdef")
