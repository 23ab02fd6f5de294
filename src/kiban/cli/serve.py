# SPDX-License-Identifier: GPL-2.0-or-later
"""serve and token: the service itself, and who may speak to it over the network.

These work on this user's own state directory and need no running service, so tokens can be made before it is opened.
Where KIBAN_URL names a service, its tokens are meant.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import print_json, say, table, warn
from kiban.cli.session import connect
from kiban.errors import BadInput

if TYPE_CHECKING:
    from kiban.api.server import Listening
    from kiban.client import Client
    from kiban.engine.tokens import Tokens

token = typer.Typer(help="Make, list and revoke tokens for callers over the network.")
TokenName = Annotated[str, typer.Argument(metavar="NAME", help="Whom or what the token is for.")]


def serve(
    *,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Answer over TLS as well, to callers with a token."),
    ] = None,
    cert: Annotated[
        Path | None, typer.Option("--cert", metavar="FILE", help="Certificate (PEM); without it Kiban makes its own.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Private key (PEM) of --cert.")] = None,
    pages: Annotated[
        bool, typer.Option("--web", help="With --listen: the web manager there too, for browsers with a token.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME[:PORT]", help="With --web: what browsers call it, besides the certificate's names."
        ),
    ] = None,
    output: Output = "table",
) -> None:
    """Be the service, until Ctrl-C or SIGTERM; machines run on. Other commands start it by themselves.

    \b
    Examples:
      kiban serve
      kiban serve --listen 0.0.0.0:8443 --cert host.pem --key host.key
      kiban serve --listen 0.0.0.0:8443 --web --name vms.example.org
    """
    if (cert is None) != (key is None):
        raise BadInput("A certificate and its key belong together.", "Say both --cert and --key, or neither.")
    if listen is None and (cert is not None or pages):
        what = "--web is for the web manager" if pages else "A certificate is used only"
        raise BadInput(f"{what} over TLS.", "Say --listen HOST:PORT too.")
    if name and not pages:
        raise BadInput("A name is what browsers call the web manager.", "Say --web too.")
    names = tuple(_name(one) for one in name or ()) if pages else None
    import logging

    from kiban.api.server import run
    from kiban.paths import Paths
    from kiban.web.manager import Manager

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    paths = Paths.default()
    cert, key = cert and cert.absolute(), key and key.absolute()
    os.chdir("/")  # a service must not hold the directory it happened to be started in
    ready = _as_json if output == "json" else None
    run(paths, listen=listen, cert=cert, key=key, ready=ready, web=Manager, names=names)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", text):
        raise BadInput(f"{text[:80]!r} is no name of a host.", "Say NAME or NAME:PORT, such as vms.example.org:443.")
    return text.lower()


def _as_json(where: Listening) -> None:
    """For programs that start the service: where it answers, as soon as it does."""
    print_json({"socket": str(where.socket), "url": where.url, "fingerprint": where.fingerprint})
    sys.stdout.flush()


@token.command("create")
def create(
    name: TokenName,
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        typer.Option("--role", help="viewer reads, operator runs machines, admin makes and removes them too."),
    ] = "operator",
    output: Output = "table",
) -> None:
    """Make a token and print it; it is not kept and cannot be shown again.

    It is one of the service that KIBAN_URL names, or else of your own, which need not run.

    \b
    Examples:
      kiban token create backup
      kiban token create grafana --role viewer
    """
    named = _named()
    secret = named.create_token(name, role) if named else _tokens().create(name, role)
    if output == "json":
        print_json({"name": name, "role": role, "token": secret})
        return
    say(secret)
    warn("Callers set it as KIBAN_TOKEN, and KIBAN_URL to https://HOST:PORT. It is not shown again.")


@token.command("list")
def list_(output: Output = "table") -> None:
    """List the tokens: names, roles, when they were made and last used.

    \b
    Example:
      kiban token list
    """
    named = _named()
    found = [dict(token) for token in named.tokens()] if named else [asdict(token) for token in _tokens().shown()]
    if output == "json":
        print_json(found)
    elif found:
        table(("name", "role", "created", "used"), (tuple(t.values()) for t in found))
    else:
        say("There are no tokens.")


@token.command("revoke")
def revoke(name: TokenName, output: Output = "table") -> None:
    """Make a token worthless, at once.

    \b
    Example:
      kiban token revoke backup
    """
    named = _named()
    (named.revoke_token if named else _tokens().revoke)(name)
    if output == "table":
        say(f"{name}: revoked")


def _named() -> Client | None:
    """A client of the service that KIBAN_URL names; None where it names none."""
    return connect() if os.environ.get("KIBAN_URL") else None


def _tokens() -> Tokens:
    from kiban.engine.tokens import Tokens
    from kiban.paths import Paths

    return Tokens(Paths.default().state)
