"""Both kinds pass the conformance kit, against a scripted operator. Reports and incoming messages come by callback, not by the link."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from pennywire_clickatell.connector import ClickatellConnector, ClickatellHttpConnector

from pennywire.testing import CannotPlay, ConnectorConformance, Operator, Play, Received, play_for

#: The shortest time-out that the settings allow is a second, and several checks wait for it.
pytestmark = pytest.mark.full


class ScriptedServer(Operator):
    """A server on this machine, told what to do by the destination. Each kind adds its paths and its words."""

    impatience: Mapping[str, Any] = {"timeout_s": 1}
    own_settings: Mapping[str, Any]

    def __init__(self) -> None:
        self._received: list[Received] = []
        self._ended = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        self._ended.set()
        await self._runner.cleanup()

    @property
    def settings(self) -> Mapping[str, Any]:
        assert self._runner is not None
        port = self._runner.addresses[0][1]
        return {**self.own_settings, "base_url": f"http://127.0.0.1:{port}", "messages_per_call": 1}

    @property
    def received(self) -> Sequence[Received]:
        return self._received

    async def cut(self) -> None:
        raise CannotPlay("Each call has a connection of its own: there is no link that could be cut between calls.")

    async def play(self, request: web.Request, to: str, text: str) -> Play:
        """Note a message and return how it is played, once silence or a cut has been played."""
        self._received.append(Received(f"+{to}", text))
        play = play_for(f"+{to}")
        if play is Play.SILENCE:
            await self._ended.wait()
        elif play is Play.CUT and request.transport is not None:
            request.transport.abort()
        return play


class ScriptedPlatform(ScriptedServer):
    own_settings = {"api_key": "kx7-secret-key"}  # noqa: RUF012  # as the kit declares it

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/v1/message", self._send), web.get("/v1/balance", self._balance)]

    async def _balance(self, _request: web.Request) -> web.Response:
        return web.json_response({"balance": 12.34, "currency": "EUR"})

    async def _send(self, request: web.Request) -> web.Response:
        (message,) = (await request.json())["messages"]
        play = await self.play(request, message["to"], message["content"])
        code = {Play.REFUSE: 25, Play.THROTTLE: 43}.get(play)
        error = {"code": code, "description": "Refused"} if code else None
        network_id = None if code else f"{len(self._received):032x}"
        row = {"apiMessageId": network_id, "accepted": not code, "to": message["to"], "error": error}
        return web.json_response({"messages": [row], "error": None}, status=400 if code else 202)


class ScriptedLegacy(ScriptedServer):
    own_settings = {"api_id": "123", "user": "kate", "password": "sesame-77"}  # noqa: RUF012  # as the kit declares it

    def routes(self) -> Sequence[web.RouteDef]:
        answers = {"auth": f"OK: {7:032x}", "getbalance": "Credit: 7.500", "querymsg": "ERR: 901, Internal error"}
        fixed = [web.post(f"/http/{command}", self._saying(text)) for command, text in answers.items()]
        return [*fixed, web.post("/http/sendmsg", self._send)]

    def _saying(self, text: str) -> Any:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=text)

        return answer

    async def _send(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl((await request.read()).decode("ascii"), encoding="latin-1"))
        text = bytes.fromhex(form["text"]).decode("utf-16-be") if form.get("unicode") else form.get("text", "")
        play = await self.play(request, form["to"], text)
        refusals = {Play.REFUSE: "ERR: 105, Invalid Destination Address", Play.THROTTLE: "ERR: 901, Internal error"}
        return web.Response(text=refusals.get(play, f"ID: {len(self._received):032x}"))


class TestPlatform(ConnectorConformance):
    connector = ClickatellConnector

    @pytest.fixture
    def operator(self) -> ScriptedPlatform:
        return ScriptedPlatform()


class TestLegacy(ConnectorConformance):
    connector = ClickatellHttpConnector

    @pytest.fixture
    def operator(self) -> ScriptedLegacy:
        return ScriptedLegacy()
