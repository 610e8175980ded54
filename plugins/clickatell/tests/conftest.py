"""An operator on this machine that answers as the documents of both APIs say, and links that are served from it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from pennywire_clickatell.api import Api
from pennywire_clickatell.calls import Caller
from pennywire_clickatell.connector import ClickatellConnector, ClickatellHttpConnector
from pennywire_clickatell.flow import Flow

from pennywire import read_settings
from pennywire.testing import FakeLink

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

API_KEY = "kx7-key=="
PASSWORD = "p&ss wörd"
BALANCE = '{"balance": 12.34, "currency": "EUR"}'


class Operator:
    """Both APIs on one port. `script` holds answers to sending that come before the documented ones, in order."""

    def __init__(self) -> None:
        self.base_url = ""
        self.script: list[Handler] = []
        self.refused: dict[str, int] = {}
        self.balance_body, self.balance_status = BALANCE, 200
        self.credit = "Credit: 7.500"
        self.messages: list[dict[str, Any]] = []
        self.forms: list[dict[str, str]] = []
        self.targets: list[str] = []
        self.queries: dict[str, str] = {}
        self.sessions: set[str] = set()
        self.sign_ins = 0
        self.released = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Operator"]:
        app = web.Application(client_max_size=4_000_000)
        app.router.add_post("/v1/message", self._scripted(self._send))
        app.router.add_get("/v1/balance", self._balance)
        app.router.add_post("/http/auth", self._auth)
        app.router.add_post("/http/sendmsg", self._scripted(self._in_session(self._sendmsg)))
        app.router.add_post("/http/querymsg", self._in_session(self._querymsg))
        app.router.add_post("/http/getbalance", self._in_session(self._getbalance))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            self.released.set()
            await runner.cleanup()

    def _scripted(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.targets.append(request.path_qs)
            return await (self.script.pop(0) if self.script else handler)(request)

        return handle

    # The platform.

    async def _send(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != API_KEY:
            return _json({"messages": [], "error": {"code": 1, "description": "Invalid or missing integration API Key"}}, 401)
        sent = (await request.json())["messages"]
        self.messages += sent
        rows = [self._row(len(self.messages) - len(sent) + number, message) for number, message in enumerate(sent)]
        accepted = {row["accepted"] for row in rows}
        return _json({"messages": rows, "error": None}, 202 if accepted == {True} else 400 if accepted == {False} else 207)

    def _row(self, number: int, message: Mapping[str, str]) -> dict[str, Any]:
        code = self.refused.get(message["to"])
        if code is not None:
            error = {"code": code, "description": f"Refused: {message['to']}"}
            return {"apiMessageId": None, "accepted": False, "to": message["to"], "error": error}
        return {"apiMessageId": f"{number:032x}", "accepted": True, "to": message["to"], "error": None}

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        self.targets.append(request.path_qs)
        if request.headers.get("Authorization") != API_KEY:
            return _json({"error": {"code": 1, "description": "Invalid or missing integration API Key"}}, 401)
        return web.Response(text=self.balance_body, status=self.balance_status, content_type="application/json")

    # The legacy API.

    async def _auth(self, request: web.Request) -> web.StreamResponse:
        self.targets.append(request.path_qs)
        form = await _form(request)
        if (form["api_id"], form["user"], form["password"]) != ("123", "kate", PASSWORD):
            return web.Response(text="ERR: 001, Authentication failed")
        self.sign_ins += 1
        session = f"{self.sign_ins:032x}"
        self.sessions = {session}
        return web.Response(text=f"OK: {session}")

    def _in_session(self, handler: Callable[[dict[str, str]], str]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            form = await _form(request)
            if form.get("session_id") not in self.sessions:
                return web.Response(text="ERR: 003, Session ID expired")
            return web.Response(text=handler(form))

        return handle

    def _sendmsg(self, form: dict[str, str]) -> str:
        self.forms.append(form)
        destinations = form["to"].split(",")
        several = len(destinations) > 1
        return "\n".join(self._line(to, several=several) for to in destinations)

    def _line(self, to: str, *, several: bool) -> str:
        ending = f" To: {to}" if several else ""
        code = self.refused.get(to)
        return f"ERR: {code:03d}, Refused{ending}" if code is not None else f"ID: {hash(to) & 0xFFFFFFFF:032x}{ending}"

    def _querymsg(self, form: dict[str, str]) -> str:
        return self.queries.get(form["climsgid"], "ERR: 104, Unknown client message ID")

    def _getbalance(self, _form: dict[str, str]) -> str:
        return self.credit


async def _form(request: web.Request) -> dict[str, str]:
    """Read a form as the legacy API does, in ISO 8859-1."""
    return dict(parse_qsl((await request.read()).decode("ascii"), encoding="latin-1", keep_blank_values=True))


def _json(content: object, status: int) -> web.Response:
    return web.Response(text=json.dumps(content), status=status, content_type="application/json")


Scenario = Callable[[Operator, FakeLink], Awaitable[None]]
Serve = Callable[..., FakeLink]


def _values(kind: type, operator: Operator, given: Mapping[str, Any]) -> dict[str, Any]:
    own = {"api_key": API_KEY} if kind is ClickatellConnector else {"api_id": "123", "user": "kate", "password": PASSWORD}
    return read_settings(kind.settings, {**own, "base_url": operator.base_url, **given})  # type: ignore[attr-defined]  # a Connector


def _serve(kind: type[ClickatellConnector | ClickatellHttpConnector], scenario: Scenario, **given: Any) -> FakeLink:
    """Run a scenario with a flow that is served by an operator, then stop the link and wait for its end."""

    async def run() -> FakeLink:
        link = FakeLink()
        async with asyncio.timeout(60), Operator().serving() as operator:
            connector = kind("c", _values(kind, operator, given))
            shared = replace(connector.shared, balance_every_s=0.05)
            async with Caller(shared.base_url, timeout_s=shared.timeout_s, calls=shared.calls) as caller:
                api: Api = connector.make_api(caller)
                running = asyncio.create_task(Flow(link, api, shared, first_pause_s=0.01, settle_after_s=(0.01, 0.01)).run())
                try:
                    await scenario(operator, link)
                finally:
                    operator.released.set()
                    link.stop()
                    await running
        return link

    return asyncio.run(run())


@pytest.fixture
def platform() -> Serve:
    return lambda scenario, **given: _serve(ClickatellConnector, scenario, **given)


@pytest.fixture
def legacy() -> Serve:
    return lambda scenario, **given: _serve(ClickatellHttpConnector, scenario, **given)
