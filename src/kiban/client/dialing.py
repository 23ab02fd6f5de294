# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways to a service: this user's own, one at a socket, one over TLS."""

from __future__ import annotations

from kiban.client.transport import Transport, connect_tls, connect_unix
from kiban.errors import BadInput, NoService

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


def own(start: bool) -> Transport:
    """The way to this user's service, which is started (`start`) when none runs."""
    from kiban.client.launch import connect_local

    return Transport(lambda: connect_local(start=start), "the service", again=lambda: connect_local(start=False))


def unix(path: str) -> socket.socket:
    """A connection to the service at a socket; NoService when there is none."""
    try:
        return connect_unix(path)
    except OSError as error:
        raise NoService(f"No service answers at {path}: {error.strerror or error}.", "Is it running there?") from error


def tls(host: str, port: int, fingerprint: str, ca: str | None) -> Callable[[], socket.socket]:
    import ssl

    pin = fingerprint.replace(":", "").lower().removeprefix("sha256")
    if pin and (len(pin) != 64 or pin.strip("0123456789abcdef")):
        raise BadInput("That is no SHA-256 fingerprint.", "It has 64 hexadecimal digits; kiban serve shows it.")
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise BadInput(f"{ca} cannot be used as a certificate authority: {error}.") from error
    if pin:  # the certificate itself is compared, before anything is sent
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    def dial() -> socket.socket:
        try:
            return connect_tls(host, port, context, pin)
        except ssl.SSLCertVerificationError as error:
            hint = "Pin its fingerprint (KIBAN_FINGERPRINT) or name its authority (KIBAN_CA)."
            raise NoService(f"{host}:{port} is not to be trusted: {error.verify_message}.", hint) from error
        except OSError as error:
            raise NoService(f"Cannot reach {host}:{port}: {error.strerror or error}.", "Is the service up?") from error

    return dial
