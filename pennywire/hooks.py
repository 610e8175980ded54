"""The hooks: where a plugin meets the gateway.

A plugin is a module or package named by an entry point of group `pennywire`. It implements the hooks it needs with
`@hookimpl`. No hook is first-result: a plugin contributes kinds, and rows that the operator configured decide.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from pennywire.application import Application
from pennywire.connector import Connector
from pennywire.jobs import JobKind
from pennywire.pricing import PricingRule
from pennywire.routing import Condition
from pennywire.settings import Setting
from pennywire.storage import Migrations
from pennywire.ui import LaterCommand, MenuItem, Panel
from pennywire.values import Event, MessageView

if TYPE_CHECKING:
    import click
    import flask

PROJECT = "pennywire"
"""Name of the pluggy project and of the entry-point group."""


class NotTaken(Exception):
    """A consumer of the journal could not take a batch; the words are for operators, and hold no text, number or secret."""


hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_connectors() -> Sequence[type[Connector]]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute kinds of service provider connections.

    When: once, at start, in every process.
    Return: Connector classes; a `kind` that another plugin has already is refused, naming both.
    Example: `return [SmppConnector]`
    """


@hookspec
def register_applications() -> Sequence[type[Application]]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute kinds of applications of a user.

    When: once, at start, in every process.
    Return: Application classes.
    Example: `return [Webhook]`
    """


@hookspec
def register_pricing_rules() -> Sequence[type[PricingRule]]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute kinds of pricing rules.

    When: once, at start, in every process.
    Return: PricingRule classes.
    Example: `return [PriceList]`
    """


@hookspec
def register_conditions() -> Sequence[type[Condition]]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute kinds of routing conditions.

    When: once, at start, in every process.
    Return: Condition classes.
    Example: `return [TimeWindow]`
    """


@hookspec
def register_migrations() -> Sequence[Migrations]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute tables of the plugin's own.

    When: with the gateway's own migrations, and at the start of a process that finds steps missing; under the same lock, each
    plugin in a transaction of its own. A plugin whose steps fail is disabled with the traceback; the gateway starts.
    Return: Migrations values; a prefix that another plugin has already disables the second, naming both.
    Example: `return [Migrations("tariff", Path(__file__).parent / "migrations")]`
    """


@hookspec
def register_jobs() -> Sequence[JobKind]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute kinds of jobs: work that takes longer than a request may.

    When: in the engine, at start, and in another process when somebody first starts a job.
    Return: JobKind values; a `kind` that does not begin with the plugin's name and a point is refused.
    Example: `return [JobKind("pigeon.feed", feed)]`
    """


@hookspec
def register_blueprints() -> "Sequence[flask.Blueprint]":  # type: ignore[empty-body]  # a specification has no body
    """Contribute Flask blueprints.

    When: once, when the web application is made. They are mounted under `/plugins/<name of the blueprint>`.
    Return: blueprints.
    Example: `return [callbacks]`
    """


@hookspec
def register_commands() -> "Sequence[click.Command | LaterCommand]":  # type: ignore[empty-body]  # a specification has no body
    """Contribute commands of `pennywire`.

    When: once, when the command line starts.
    Return: click commands or groups, or `LaterCommand` for what is loaded when it is called; a name that exists already is refused.
    Example: `return [smsc]`
    """


@hookspec
def register_settings() -> Sequence[Setting]:  # type: ignore[empty-body]  # a specification has no body
    """Declare settings of the plugin itself, as a kind declares those of its connections.

    When: once, at start, in every process. The gateway keeps the values, encrypts secrets, draws the form under *System /
    Plugins* and hands the values to the plugin's other hooks; a change reaches a running engine within two seconds.
    Return: Setting values.
    Example: `return [Setting("database_url", "Database")]`
    """


@hookspec
def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings of the plugin that are right one by one and do not go together.

    When: before they are saved; `settings` holds every typed value, secrets in clear.
    Return: nothing. Raise `InvalidSetting` with the name of a setting, the reason and the remedy.
    Example: `if settings["rows"] and not settings["database_url"]: raise InvalidSetting("database_url", "Name a database.")`
    """


@hookspec
def follows_journal(settings: Mapping[str, Any]) -> bool:  # type: ignore[empty-body]  # a specification has no body
    """Say whether the plugin wants `message_events` with these settings; without this hook it always does.

    When: in the engine, at start and when the plugin's settings have changed. While the answer is no, nothing is kept for the
    plugin; when it becomes yes, it follows from that moment on.
    Return: True or False.
    Example: `return bool(settings["database_url"])`
    """


@hookspec
def message_events(batch: Sequence[Event], messages: Mapping[str, MessageView], settings: Mapping[str, Any]) -> None:
    """Receive what happened, in order, at least once.

    When: in the engine, after the events were committed; each plugin has a cursor of its own. An exception means that the
    same batch comes again after a pause; other plugins and the pipe do not wait. Raise `NotTaken` with words for operators.
    `messages` holds the messages of the batch by their ids; it is read only for plugins that name the argument. `settings`
    are the plugin's own.
    Return: nothing. Recognise repeats by `(message_id, version)`.
    Example: `database.insert([(event, messages.get(event.message_id)) for event in batch])`
    """


@hookspec
def menu_items(user: Any) -> Sequence[MenuItem]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute entries of the menu tree.

    When: for each page. `user` is the signed-in user (`username`, `role`).
    Return: MenuItem values.
    Example: `return [MenuItem("System", "SQL logging", "sqllog.index")]`
    """


@hookspec
def panels(page: str, subject: Any, user: Any) -> Sequence[Panel]:  # type: ignore[empty-body]  # a specification has no body
    """Contribute panels to a page.

    When: for each page that shows panels. `page` is `message`, `connection`, `user` or `dashboard`; `subject` is what the page shows.
    Return: Panel values.
    Example: `return [Panel("Raw PDU", "smpp/pdu.html", {"pdu": ...})] if page == "message" else []`
    """
