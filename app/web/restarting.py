"""Ending this process when the set of enabled plugins has changed: code that is imported cannot be taken back.

The process finishes its answers; its supervisor starts another, which imports what is enabled now.
"""

import contextlib

from flask import Flask, Response

from app.core import enabled_plugins
from app.db import Unavailable
from app.plugins import OWN, all_infos
from app.web.context import parts_of


def register(app: Flask) -> None:
    """Look after each answer whether the configuration has another version, and if so whether the plugins are still these.

    What the answer needed of the configuration has been read by then: an answer is not kept waiting for the database again.
    """
    parts = parts_of(app)
    loaded = {name for name, info in parts.core.plugins.infos.items() if info.enabled}
    seen = {"version": 0}

    @app.after_request
    def look(response: Response) -> Response:
        with contextlib.suppress(Unavailable):
            snapshot = parts.core.snapshots.latest
            if snapshot is not None and snapshot.version != seen["version"]:
                seen["version"] = snapshot.version
                chosen = enabled_plugins(parts.core.database)
                wanted = {name for name in all_infos(parts.core.plugins) if chosen.get(name, name in OWN)}
                if wanted != loaded:
                    parts.end_process()
        return response
