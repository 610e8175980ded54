"""The blueprint of the pages, and what every view of it shares."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, abort, flash
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from pennywire import InvalidSetting
from pennywire.ui import allow, gateway
from pennywire_tariff import lists
from pennywire_tariff.models import PriceList, Version

READERS = ("administrator", "operator", "auditor")
WRITERS = ("administrator",)

PAGE = 50
Answer = str | Response | tuple[str, int]
T = TypeVar("T")

pages = Blueprint("tariff", __name__, template_folder="templates")


def view(
    rule: str, *, methods: tuple[str, ...] = ("GET",), body_octets: int = 0
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Make a view that staff may look at and administrators may send something to; what is not there is a page that says so."""

    def make(function: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(function)
        def guarded(**arguments: Any) -> Answer:
            try:
                return function(**arguments)
            except lists.NotThere:
                abort(404)

        allowed = allow(*READERS, writers=WRITERS, body_octets=body_octets)(guarded)
        pages.add_url_rule(rule, function.__name__, allowed, methods=methods)
        return function

    return make


def change(work: Callable[[Session], T], said: str) -> bool:
    """Do `work` in a transaction and tell what was done, or why not. Return whether it was."""
    try:
        with gateway().write() as session:
            work(session)
    except lists.NotThere:
        raise
    except InvalidSetting as error:
        flash(error.reason, "bad")
        return False
    flash(said)
    return True


def found(session: Session, name: str, number: int) -> tuple[PriceList, Version]:
    """Return a list and one of its versions. Raises: NotThere."""
    row = lists.find_list(session, name)
    return row, lists.find_version(session, row, number)
