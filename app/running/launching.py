"""How the processes of the gateway are started: programs, and the environment that carries their settings."""

import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from sqlalchemy import make_url

from app.config import PREFIX, Settings

_WORDS = {True: "true", False: "false"}


def environment_of(settings: Settings, *, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment in which a process has exactly these settings, whatever folder it runs in.

    Arguments can be read by every user of the machine, an environment cannot.
    """
    values = {field.name: getattr(settings, field.name) for field in fields(Settings)}
    values["data"] = settings.data.absolute()
    values["database_url"] = _absolute(settings.database_url)
    environment = {name: value for name, value in inherited.items() if not name.startswith(PREFIX)}
    for name, value in values.items():
        text = _WORDS[value] if isinstance(value, bool) else str(value)
        if text:
            environment[PREFIX + name.upper()] = text
    return environment


def _absolute(database_url: str) -> str:
    """Return the URL with the full path of a SQLite file: relative ones mean the folder of the first process."""
    if not database_url:
        return ""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)


def web_command(descriptor: int | None = None) -> list[str]:
    """Return the program of the web process; it listens on an inherited socket, or on its own."""
    bind = ["--bind", f"fd://{descriptor}"] if descriptor is not None else []
    # -P: a folder `app` where the command is called must not be taken for ours.
    return [sys.executable, "-P", "-m", "gunicorn", "--config", "python:app.gunicorn_settings", *bind, "app.factory:create_app()"]


def engine_command(only: str | None = None) -> list[str]:
    """Return the program of the engine."""
    return [sys.executable, "-P", "-m", "app.cli", "engine", *(["--only", only] if only else [])]
