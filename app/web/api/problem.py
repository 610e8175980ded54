"""Problems of the modern API, as RFC 9457 describes them: a stable `code` beside the words."""

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Response

from app.refusals import Refused
from app.web.api import failures

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:pennywire:problem:"

HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


def describe(refused: Refused) -> dict[str, Any]:
    """Return the members of a problem. `field` names the parameter to blame, if there is one."""
    refusal = refused.refusal
    members: dict[str, Any] = {
        "type": TYPE_PREFIX + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "detail": refused.reason,
        "code": refusal.code,
        "number": refusal.number,
    }
    return members | {"field": refused.field} if refused.field else members


def respond(refused: Refused, *, status: int | None = None, more: Mapping[str, Any] | None = None) -> Response:
    """Answer with a problem. `status` takes the place of the refusal's own."""
    members = describe(refused) | ({"status": status} if status else {}) | dict(more or {})
    response = Response(msgspec.json.encode(members), status=members["status"], content_type=CONTENT_TYPE)
    response.headers.extend(HEADERS)
    if members["status"] == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Pennywire"'
    return response


def of(error: Exception) -> Response:
    """Answer a request that was refused or in which something broke."""
    refused = failures.refused_by(error)
    response = respond(refused)
    response.headers.update(failures.retry_headers(error, refused))
    return response
