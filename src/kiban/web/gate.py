# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands before every page: nothing passes without a session, and nothing that another site's page has sent.

NiceGUI accepts WebSockets from anywhere, so this is where they are refused. In this order:

- `Host` must be this server's own: a name that an attacker points at this host is none (DNS rebinding).
- `Origin`, where there is one, must be this server; and all that is not a plain GET must have one (CSRF).
- Everything but the login page and its two files needs the cookie of a session.
"""

from __future__ import annotations

import math
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiban.api import problems
from kiban.api.gate import while_it_lasts
from kiban.api.limit import MAX_BODY, BodyLimit, may_be_long
from kiban.errors import BadInput, KibanError, NotAllowed
from kiban.web.access import SESSION_SECONDS, Access, Visit
from kiban.web.address import Address
from kiban.web.patience import Patience, TooMany

MAX_TOKEN = 4096
"""Bytes of a login's body."""
STATIC = files("kiban.web") / "static"
LOGIN = {
    "/login": ("login.html", "text/html"),
    "/login.js": ("login.js", "text/javascript"),
    "/login.css": ("login.css", "text/css"),
    "/login.svg": ("kiban.svg", "image/svg+xml"),
}
"""All that answers without a session."""
POLICY = (
    # NiceGUI's page is a script in the document, and Vue compiles its templates in the browser
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
LOGIN_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HSTS = "max-age=31536000"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Gate:
    """The only way to `app`. `scope["kiban.visit"]` is whose request it is.

    Over TLS a token lets in too, and wrong secrets are held against the address that they come from. On loopback all
    come from one address, so whoever has an account could keep the others out that way.
    """

    def __init__(self, app: ASGIApp, access: Access, address: Address) -> None:
        self._app = BodyLimit(app)
        self._access = access
        self._address = address
        self._patience = Patience() if address.secure else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and answer the rest."""
        if scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send, hsts=self._address.site))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            self._check(request, plain=request.method in ("GET", "HEAD"))
        except NotAllowed as error:
            await problems.response(error)(scope, receive, send)
            return
        length = int(request.headers.get("content-length", 0))  # the server has refused what is not a number
        if length > MAX_BODY and not may_be_long(scope):
            await problems.response(BadInput(f"A request may have {MAX_BODY} bytes."), status=413)(scope, receive, send)
        elif request.url.path in LOGIN:
            await (await self._login(request))(scope, receive, send)
        elif (visit := self._visit(request.headers)) is None:
            await _unknown(request)(scope, receive, send)
        elif request.url.path == "/logout" and request.method == "POST":
            self._access.end(visit)
            await Response(status_code=204)(scope, receive, send)
        else:
            await self._app({**scope, "kiban.visit": visit}, _heard(receive, visit), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        visit = self._visit(connection.headers)
        try:
            self._check(connection, plain=False)
        except NotAllowed:
            visit = None
        if visit is None:
            await receive()  # the announcement; refusing before accepting answers 403
            await send({"type": "websocket.close", "code": 1008})
            return
        await while_it_lasts(visit.over.wait(), self._app, {**scope, "kiban.visit": visit}, receive, send)

    def _check(self, connection: HTTPConnection, *, plain: bool) -> None:
        """NotAllowed for what does not come from this server's own pages."""
        headers, connected = connection.headers, (connection.scope.get("server") or [""])[0]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._address.is_own(hosts[0], connected):
            hint = "kiban serve --name NAME adds a name." if self._address.secure else "Get it: kiban web"
            raise NotAllowed("This is not the address of this web manager.", hint, code="wrong-host")
        own = [self._address.origin(hosts[0])]
        if headers.getlist("origin") not in ([own, []] if plain else [own]):
            raise NotAllowed("Another site's page may not do that.", code="wrong-origin")

    def _key(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self._address.cookie].value if self._address.cookie in cookies else ""

    def _visit(self, headers: Headers) -> Visit | None:
        return self._access.find(self._key(headers), self._address.door)

    async def _login(self, request: Request) -> Response:
        name, kind = LOGIN[request.url.path]
        if request.method in ("GET", "HEAD"):
            return _file(name, kind)
        if request.url.path != "/login" or request.method != "POST":
            return Response(status_code=405)
        try:
            key = await self._enter(request)
        except TooMany as error:
            return problems.response(error, status=429, headers={"Retry-After": str(math.ceil(error.wait))})
        except KibanError as error:
            return problems.response(error)
        answer = Response(status_code=204)
        seconds, secure = int(SESSION_SECONDS), self._address.secure
        answer.set_cookie(self._address.cookie, key, max_age=seconds, secure=secure, httponly=True, samesite="strict")
        return answer

    async def _enter(self, request: Request) -> str:
        """Begin a session, and return its secret."""
        where = request.client.host if request.client else ""
        if self._patience is not None:
            self._patience.check(where)
        try:
            return self._begin(await _secret(request), where)
        except NotAllowed:
            if self._patience is not None:
                self._patience.wrong(where)
            raise

    def _begin(self, secret: str, where: str) -> str:
        try:
            return self._access.begin(secret, self._address.door, where)
        except NotAllowed:
            if not self._address.secure:
                raise
        return self._access.begin_by_token(secret, where)


def _heard(receive: Receive, visit: Visit) -> Receive:
    """Of a session that is over nothing more is heard, as if the browser had hung up: an upload may take hours."""

    async def hear() -> Message:
        message = await receive()
        return {"type": "http.disconnect"} if visit.over.is_set() else message

    return hear


async def _secret(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_TOKEN:
            raise NotAllowed("That is no link of this web manager.", "Get one: kiban web", code="wrong-link")
    return body.decode("ascii", "replace")


def _unknown(request: Request) -> Response:
    """A person is sent to the login page; a program is told."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/login", 303, {"Cache-Control": "no-store"})
    return problems.response(NotAllowed("This needs a session.", "Begin one: kiban web", code="no-session"), status=401)


def _file(name: str, kind: str) -> Response:
    headers = {"Content-Security-Policy": LOGIN_POLICY, "Cache-Control": "no-store"}
    return Response((STATIC / name).read_bytes(), media_type=kind, headers=headers)


def _with_headers(send: Send, *, hsts: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if hsts:
                headers["Strict-Transport-Security"] = HSTS
        await send(message)

    return sending
