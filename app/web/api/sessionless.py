"""Requests of programs open no session: that would cost a signature check each, and cookies mean nothing to them."""

from collections.abc import Iterable

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin


class SessionlessPaths(SessionInterface):
    """Gives `paths` and what is below them an empty session that cannot be written, and leaves all others to `inner`."""

    def __init__(self, inner: SessionInterface, paths: Iterable[str]) -> None:
        self._inner = inner
        self._first = frozenset(path.strip("/") for path in paths)

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        # The session is opened before the address is matched, so its first segment has to tell.
        first = request.path[1:].partition("/")[0]
        return NullSession() if first in self._first else self._inner.open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        self._inner.save_session(app, session, response)
