"""Pages for what goes wrong: they say what happened and what to do, and give nothing away."""

import logging
from http import HTTPStatus

from flask import Flask, render_template, request
from flask_login import current_user  # type: ignore[import-untyped]  # the package carries no annotations
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]  # the package carries no annotations
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from app.administration import NotThere
from app.db import CommitFailed, Unavailable
from app.refusals import Refused
from app.web.api import problem

_LOG = logging.getLogger("pennywire.web")

APIS = ("/api/", "/httpapi/", "/ozeki/")
"""Below these only programs call: they get no page."""

REMEDIES: dict[int, tuple[str, str]] = {
    400: ("The request could not be read", "Go back, reload the page and try again."),
    403: ("You may not do this", "Your role does not allow it. An administrator can do it, or change your role."),
    404: ("There is nothing here", "It may have been removed or renamed. Start from the menu."),
    405: ("This address does not take that", "Go back and use the page's own buttons."),
    413: ("That was too large", "Send less at once."),
    500: ("The gateway failed", "The failure is in the log. Try again; if it stays, tell the operator."),
    503: ("The gateway cannot do this now", "The database does not answer, or is full. Nothing was changed. Try again in a moment."),
}
EXPIRED_FORM = ("This form is too old", "Go back, reload the page and send it again. Nothing was changed.")
UNKNOWN = (
    "It is not known whether this was saved",
    "The database failed in the middle. Look whether the change is there before you repeat it.",
)


def register(app: Flask) -> None:
    """Answer errors of the browser's pages. The APIs answer their own in their own dialects."""
    app.register_error_handler(CSRFError, lambda _error: _page(400, EXPIRED_FORM))
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(NotThere, lambda _error: _page(404))
    app.register_error_handler(Unavailable, lambda _error: _page(503))
    app.register_error_handler(CommitFailed, lambda _error: _page(503, UNKNOWN))
    app.register_error_handler(OperationalError, _of_database)
    app.register_error_handler(Exception, _of_anything)


def _page(status: int, words: tuple[str, str] | None = None) -> tuple[str, int]:
    title, remedy = words or REMEDIES.get(status) or (HTTPStatus(status).phrase, "Start again from the menu.")
    signed_in = False if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _signed_in()
    return render_template("errors/error.html", status=status, title=title, remedy=remedy, signed_in=signed_in), status


def _signed_in() -> bool:
    try:
        return bool(current_user.is_authenticated)
    except Unavailable:
        return False


def _of_http(error: HTTPException) -> Response | tuple[str, int]:
    if request.path.startswith(APIS) and error.code == HTTPStatus.NOT_FOUND:
        return problem.respond(Refused("not_found", "There is nothing at this address. The documentation lists them all."))
    if isinstance(error, SecurityError) or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        # For a host that is not ours there are no addresses to put into a page.
        return error.get_response()
    return _page(error.code)


def _of_database(error: Exception) -> tuple[str, int]:
    _LOG.error("the database did not answer a page: %s", type(error).__name__)
    return _page(503)


def _of_anything(error: Exception) -> tuple[str, int]:
    _LOG.error("a page failed", exc_info=error)
    return _page(500)
