"""Small things that several screens share: live answers, where to go next, going back."""

import hashlib
from typing import Any

from flask import make_response, render_template, request
from werkzeug.wrappers import Response

PAGE_SIZE = 50


def is_partial() -> bool:
    """Say whether htmx asks for a part of a page."""
    return "HX-Request" in request.headers


def live(template: str, **values: Any) -> Response:
    """Render a part that a page asks for again and again; what has not changed is answered by 304 and no body."""
    response = make_response(render_template(template, **values))
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    return response.make_conditional(request)


def whole_number(name: str) -> int | None:
    """Return a whole number of the query, or None where there is none that could be an id."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
