"""One HTTP call: bounded in time and size, without redirects, and honest about what left."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp

from pennywire import LinkDown, OutcomeUnknown

#: Units: octets. The longest documented answer, of 200 messages, has some 40,000.
MOST_OCTETS: Final = 1_048_576
#: Units: seconds. Clickatell closes idle connections; a call into a closing one would be in doubt.
_KEEP_ALIVE_S: Final = 5.0
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: its HTTP status and the body as text."""

    status: int
    body: str


class Caller:
    """Calls one API. `base_url` has no slash at its end."""

    def __init__(self, base_url: str, *, timeout_s: float, calls: int) -> None:
        self._base_url = base_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s)
        self._places = asyncio.Semaphore(calls)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
        # Cookies of a server are nothing to an API, and the environment's proxies are not ours to obey silently.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "Pennywire"}
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: bytes | None = None,
    ) -> Answer:
        """Call and return the answer. Secrets go into headers or the body, never into the address.

        Raises: LinkDown where no connection came about, OutcomeUnknown where bytes left and no whole answer came.
        """
        assert self._session is not None
        async with self._places:
            try:
                async with self._session.request(
                    method, self._base_url + path, headers=headers, json=json, data=form, allow_redirects=False
                ) as response:
                    body = await _read(response)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                raise LinkDown(f"Clickatell cannot be reached ({type(error).__name__}).") from error
            except TimeoutError as error:
                raise OutcomeUnknown("Clickatell gave no answer in time.") from error
            except (aiohttp.ClientError, OSError) as error:
                raise OutcomeUnknown(f"The connection to Clickatell broke ({type(error).__name__}).") from error
        if 300 <= response.status < 400:
            raise OutcomeUnknown(
                f"Clickatell answered {response.status}, a redirect, which is not followed. Correct the address of the API."
            )
        return Answer(response.status, body)


async def _read(response: aiohttp.ClientResponse) -> str:
    """Return the body. Raises: OutcomeUnknown for one that is too long to be an answer."""
    octets = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        octets += chunk
        if len(octets) > MOST_OCTETS:
            raise OutcomeUnknown(f"Clickatell's answer has more than {MOST_OCTETS} octets.")
    return octets.decode("utf-8", "replace")
