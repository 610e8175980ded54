"""Where the gateway is reached: by browsers, by scripts on this machine, and by the supervisor that asks how it is."""

import contextlib
import http.client

from app.config import Settings

HEALTH_TIMEOUT_S = 2.0


def first_name(settings: Settings) -> str:
    """Return the first of the names under which alone the gateway answers; empty where it answers under any."""
    return next((name.strip().lstrip(".") for name in settings.hosts.split(",") if name.strip()), "")


def address_of(settings: Settings, port: int) -> str:
    """Return the address for a browser: under the gateway's own name where it has one, else on this machine.

    A proxy in front listens on the usual port of its protocol.
    """
    name = first_name(settings)
    scheme = "https" if name and settings.https else "http"
    if name and settings.proxies:
        return f"{scheme}://{name}"
    host = name or reachable(settings.host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def reachable(host: str) -> str:
    """Return where to reach a server that listens on `host`, which may be everywhere."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # We ask whether somebody listens so.


def is_healthy(host: str, port: int, *, named: str = "") -> bool:
    """Ask the web process whether it can work, under the name to which it answers."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health", headers={"Host": named} if named else {})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        with contextlib.suppress(OSError):
            connection.close()
