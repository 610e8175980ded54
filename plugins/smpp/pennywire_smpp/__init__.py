"""SMPP v3.4 for Pennywire: a client for operators' SMSCs, a server for customers, and an SMSC simulator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pennywire import Application, Connector, Migrations, Setting, hookimpl
from pennywire_smpp.connector import SmppConnector
from pennywire_smpp.server.application import SmppServer
from pennywire_smpp.server.settings import LISTENER, read_listener

if TYPE_CHECKING:
    import click

PENNYWIRE_API = 1


@hookimpl
def register_connectors() -> Sequence[type[Connector]]:
    return [SmppConnector]


@hookimpl
def register_applications() -> Sequence[type[Application]]:
    return [SmppServer]


@hookimpl
def register_settings() -> Sequence[Setting]:
    return LISTENER


@hookimpl
def check_settings(settings: Mapping[str, Any]) -> None:
    read_listener(settings)


@hookimpl
def register_migrations() -> Sequence[Migrations]:
    return [Migrations("smpp", Path(__file__).parent / "migrations")]


@hookimpl
def register_commands() -> "Sequence[click.Command]":
    # Only the command line needs the simulator and click.
    from pennywire_smpp.commands import smsc  # noqa: PLC0415

    return [smsc]
