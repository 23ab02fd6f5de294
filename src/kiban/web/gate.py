# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands before every page: nothing passes without a session, and nothing that another site's page has sent.

NiceGUI accepts WebSockets from anywhere, so this is where they are refused. In this order:

- `Host` must be this server's own: a name that an attacker points at 127.0.0.1 is none (DNS rebinding).
- `Origin`, where there is one, must be this server; and all that is not a plain GET must have one (CSRF).
- Everything but the login page and its two files needs the cookie of a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiban.api import problems
from kiban.api.limit import MAX_BODY, BodyLimit
from kiban.errors import BadInput, KibanError, NotAllowed
from kiban.web.access import SESSION_SECONDS, Access, Visit

MAX_TOKEN = 4096
"""Bytes of a login's body."""
STATIC = files("kiban.web") / "static"
LOGIN = {
    "/login": ("login.html", "text/html"),
    "/login.js": ("login.js", "text/javascript"),
    "/login.css": ("login.css", "text/css"),
}
"""All that answers without a session."""
POLICY = (
    # NiceGUI's page is a script in the document, and Vue compiles its templates in the browser
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
LOGIN_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
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

    Args:
        port: of this server, on loopback; it is in the cookie's name, as cookies do not tell ports apart.
    """

    def __init__(self, app: ASGIApp, access: Access, port: int) -> None:
        self._app = BodyLimit(app)
        self._access = access
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._cookie = f"kiban-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and answer the rest."""
        if scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            self._check(request.headers, plain=request.method in ("GET", "HEAD"))
        except NotAllowed as error:
            await problems.response(error)(scope, receive, send)
            return
        if int(request.headers.get("content-length", 0)) > MAX_BODY:  # the server has refused what is not a number
            await problems.response(BadInput(f"A request may have {MAX_BODY} bytes."), status=413)(scope, receive, send)
        elif request.url.path in LOGIN:
            await (await self._login(request))(scope, receive, send)
        elif (visit := self._visit(request.headers)) is None:
            await _unknown(request)(scope, receive, send)
        elif request.url.path == "/logout" and request.method == "POST":
            self._access.end(self._key(request.headers))
            await Response(status_code=204)(scope, receive, send)
        else:
            await self._app({**scope, "kiban.visit": visit}, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        visit = self._visit(headers)
        try:
            self._check(headers, plain=False)
        except NotAllowed:
            visit = None
        if visit is None:
            await receive()  # the announcement; refusing before accepting answers 403
            await send({"type": "websocket.close", "code": 1008})
            return
        await _while_it_lasts(visit, self._app({**scope, "kiban.visit": visit}, receive, send), send)

    def _check(self, headers: Headers, *, plain: bool) -> None:
        """NotAllowed for what does not come from this server's own pages."""
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            raise NotAllowed("This is not the address of this web manager.", "Get it: kiban web", code="wrong-host")
        own = [f"http://{headers['host']}"]
        if headers.getlist("origin") not in ([own, []] if plain else [own]):
            raise NotAllowed("Another site's page may not do that.", code="wrong-origin")

    def _key(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self._cookie].value if self._cookie in cookies else ""

    def _visit(self, headers: Headers) -> Visit | None:
        return self._access.find(self._key(headers))

    async def _login(self, request: Request) -> Response:
        name, kind = LOGIN[request.url.path]
        if request.method in ("GET", "HEAD"):
            return _file(name, kind)
        if request.url.path != "/login" or request.method != "POST":
            return Response(status_code=405)
        try:
            key = self._access.begin(await _token(request))
        except KibanError as error:
            return problems.response(error)
        answer = Response(status_code=204)
        answer.set_cookie(self._cookie, key, max_age=int(SESSION_SECONDS), httponly=True, samesite="strict")
        return answer


async def _token(request: Request) -> str:
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


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


async def _while_it_lasts(visit: Visit, work: Awaitable[None], send: Send) -> None:
    """Serve a WebSocket until it or the session ends, whichever is first."""
    serving = asyncio.ensure_future(work)
    over = asyncio.ensure_future(visit.over.wait())
    try:
        await asyncio.wait({serving, over}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return
        serving.cancel()
        await asyncio.wait({serving})
        await send({"type": "websocket.close", "code": 1008})
    finally:
        over.cancel()
        serving.cancel()
