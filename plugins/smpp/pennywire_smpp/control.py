"""The simulator's HTTP port: figures to read, and things to make it do.

GET  /stats          counters as JSON
POST /mo             {"text": …, "source": …, "destination": …, "count": 1}: messages from handsets
POST /cut            cut all links without a word
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pennywire_smpp.simulator import Simulator

_MAX_BODY_OCTETS: Final = 1 << 16
_MAX_COUNT: Final = 100_000
#: Units: seconds. How long a client may take for its request.
_REQUEST_TIMEOUT_S: Final = 10.0


class BadRequest(ValueError):
    """The request cannot be understood; the text says why."""


class Answer(NamedTuple):
    """An HTTP answer: status line and body of JSON."""

    status: str
    body: str


async def serve_control(simulator: Simulator, host: str, port: int) -> asyncio.Server:
    """Listen for HTTP; port 0 takes a free one. Raises: OSError."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                answer = _answer(simulator, *await _read_request(reader))
                head = f"HTTP/1.1 {answer.status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body.encode())}"
                writer.write(f"{head}\r\nConnection: close\r\n\r\n{answer.body}".encode())
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port)


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Return `METHOD /path` and the body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    size_octets = int(length) if length.isdecimal() else 0
    body = await reader.readexactly(min(size_octets, _MAX_BODY_OCTETS))
    return request_line.rsplit(" ", 1)[0].split("?", 1)[0], body


def _answer(simulator: Simulator, request: str, body: bytes) -> Answer:
    handler = _HANDLERS.get(request)
    if handler is None:
        return Answer("404 Not Found", json.dumps({"error": f"No such request. Known: {', '.join(_HANDLERS)}."}))
    try:
        return Answer("200 OK", handler(simulator, _read_json(body)))
    except BadRequest as error:
        return Answer("400 Bad Request", json.dumps({"error": str(error)}))


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(values, dict):
        raise BadRequest("The body must be a JSON object.")
    return values


def _stats(simulator: Simulator, values: dict[str, Any]) -> str:
    del values
    return simulator.as_json()


def _mo(simulator: Simulator, values: dict[str, Any]) -> str:
    count = values.get("count", 1)
    texts = {name: values.get(name, "") for name in ("text", "source", "destination")}
    if not isinstance(count, int) or not 1 <= count <= _MAX_COUNT or not all(isinstance(text, str) for text in texts.values()):
        raise BadRequest(f"text, source and destination are texts; count is a number from 1 to {_MAX_COUNT}.")
    segment_count = sum(len(simulator.queue_mo(**texts)) for _ in range(count))
    return json.dumps({"queued": segment_count})


def _cut(simulator: Simulator, values: dict[str, Any]) -> str:
    del values
    simulator.cut_links()
    return "{}"


_HANDLERS: dict[str, Callable[[Simulator, dict[str, Any]], str]] = {
    "GET /stats": _stats,
    "POST /mo": _mo,
    "POST /cut": _cut,
}
