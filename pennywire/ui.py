"""What plugins add to pages and commands, and how their views and commands reach the gateway."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pennywire.storage import Storage

ANYONE = "*"
"""Role of callers who are not signed in, such as a provider that calls back."""

V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry of the menu tree. `parent` is a label of the tree such as `System`; `endpoint` is a Flask endpoint.

    `icon` names a symbol of the sprite. `roles` are the roles that see it.
    """

    parent: str
    label: str
    endpoint: str
    icon: str = "puzzle"
    roles: tuple[str, ...] = ("administrator",)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel on a page. `template` is a template of the plugin's blueprint, rendered with `context`."""

    title: str
    template: str
    context: dict[str, object]


@dataclass(frozen=True, slots=True)
class LaterCommand:
    """A command that is loaded when it is called. `target` is where it is, such as `pennywire_pigeon.commands:pigeons`.

    `--help` and every other command then need not load what it needs. `help` is its line in the list of commands.
    """

    name: str
    help: str
    target: str


class Answers(Protocol):
    """What a command of a plugin gets by `@click.pass_obj`: answers in JSON for programs, in words for people."""

    as_json: bool

    def answer(self, value: Any, text: str) -> None:
        """Write `value` as JSON, or `text` for people."""
        ...

    def answer_table(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
        """Write rows as a JSON list, or as a table with the columns `{name: heading}`; `empty` where there is none."""
        ...


_GATEWAY: ContextVar[Callable[[], Storage]] = ContextVar("pennywire_gateway")


def gateway() -> Storage:
    """Return the gateway, inside a view of a blueprint or a command of a plugin. Raises: LookupError anywhere else."""
    return _GATEWAY.get()()


def provide(source: Callable[[], Storage]) -> None:
    """Say where `gateway()` finds it from here on; for the gateway itself, and for tests of plugins."""
    _GATEWAY.set(source)


def allow(*roles: str, writers: tuple[str, ...] | None = None, body_octets: int = 0) -> Callable[[V], V]:
    """Say which roles may call a view of a plugin's blueprint; without it only administrators may.

    `writers` are those of them that may also send something to it; all, if it is left out. `body_octets` is what it takes at most
    of them, where that is more than the gateway takes elsewhere (`max_body_octets`); read it as a stream.

    `ANYONE` also lets requests in that carry no anti-forgery token: such a view finds out by itself who calls.
    Example: `@callbacks.post("/report")` above `@allow(ANYONE)`.
    """

    def mark(view: V) -> V:
        view.pennywire_roles = roles  # type: ignore[attr-defined]  # a mark on the function
        view.pennywire_writers = roles if writers is None else writers  # type: ignore[attr-defined]  # as above
        view.pennywire_body_octets = body_octets  # type: ignore[attr-defined]  # as above
        return view

    return mark


def allow_programs(*roles: str, writers: tuple[str, ...] = ("administrator",), body_octets: int = 0) -> Callable[[V], V]:
    """Say that programs call a view, with an API key that opens `admin`, and whose keys: the gateway asks for the key.

    `writers` are the roles that may send something. The view returns plain values, which become JSON, or a response; an
    InvalidSetting that it raises becomes a problem as those of `/api/v1`, 404 where it is a LookupError too. `body_octets` is as
    for `allow`.
    Example: `@pages.get("/api/lofts")` above `@allow_programs("administrator", "auditor")`.
    """

    def mark(view: V) -> V:
        view.pennywire_roles = (ANYONE,)  # type: ignore[attr-defined]  # a mark on the function
        view.pennywire_program_roles = (roles, writers)  # type: ignore[attr-defined]  # as above
        view.pennywire_body_octets = body_octets  # type: ignore[attr-defined]  # as above
        return view

    return mark


def roles_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return the roles that may call a plugin's view."""
    roles: tuple[str, ...] = getattr(view, "pennywire_roles", ("administrator",))
    return roles


def writers_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return the roles that may send something to a plugin's view."""
    writers: tuple[str, ...] = getattr(view, "pennywire_writers", roles_of(view))
    return writers


def body_octets_of(view: Callable[..., Any]) -> int:
    """Return the largest body that a plugin's view takes; 0 where the gateway's own limit holds."""
    octets: int = getattr(view, "pennywire_body_octets", 0)
    return octets
