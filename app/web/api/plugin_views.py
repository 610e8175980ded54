"""Views of plugins for programs: the gateway asks for an API key, as `/api/v1` does, and answers JSON and problems.

What a blueprint has below `/api/` is found below `/api/v1/<name of the blueprint>/` too, where programs look for it.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import msgspec
from flask import Flask, Response, request

from app.authentication import Authenticator
from app.core import Core
from app.gateway import OpenGateway
from app.refusals import Refused, RequestRefused
from app.web.access import READING
from app.web.api import failures, keyed, problem
from app.web.api.keyed import Call
from app.web.api.legacy import METHODS
from pennywire import InvalidSetting, ui
from pennywire.ui import body_octets_of

View = Callable[..., Any]


def guard_programs(views: Mapping[str, View], endpoints: set[str], core: Core, authenticator: Authenticator) -> dict[str, View]:
    """Return those views that programs call, each behind the question for an API key that opens `admin`."""
    return {name: _guarded(views[name], core, authenticator) for name in endpoints if getattr(views[name], "pennywire_program_roles", None)}


def publish(app: Flask, name: str, endpoints: set[str], prefix: str) -> None:
    """Let what a blueprint has below `/plugins/<name>/api/` be found below `<prefix>/<name>/`, unless the gateway has that itself."""
    if any(f"{rule.rule}/".startswith(f"{prefix}/{name}/") for rule in app.url_map.iter_rules()):
        return
    own, addresses = f"/plugins/{name}/api/", dict[str, dict[str, str]]()
    for rule in app.url_map.iter_rules():
        if rule.endpoint in endpoints and rule.rule.startswith(own):
            works = addresses.setdefault(f"{prefix}/{name}/{rule.rule.removeprefix(own)}", {})
            works.update(dict.fromkeys((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}, rule.endpoint))
    for address, works in addresses.items():
        view = _by_method({method: app.view_functions[endpoint] for method, endpoint in works.items()})
        # One of the API's own endpoints: its errors are problems. Every method is taken, so that a wrong one is answered in the dialect.
        app.add_url_rule(address, f"api.{address}", view, methods=METHODS, provide_automatic_options=False, strict_slashes=False)


def _by_method(views: Mapping[str, View]) -> View:
    def answer(**named: Any) -> Any:
        view = views.get("GET" if request.method == "HEAD" else request.method)
        return keyed.wrong_method(*sorted(views)) if view is None else view(**named)

    return answer


def _guarded(view: View, core: Core, authenticator: Authenticator) -> View:
    readers, writers = view.pennywire_program_roles  # type: ignore[attr-defined]  # the contract's mark

    @wraps(view)
    def answer(**named: Any) -> Response:
        try:
            call = Call(core, keyed.authenticate(authenticator), core.clock())
            call.administer(frozenset(readers if request.method in READING else writers))
            if any("\x00" in str(value) for value in (*named.values(), *request.args.values())):
                # No name and no number has one, and PostgreSQL does not even take the question.
                raise RequestRefused("not_found", "There is nothing of that name.")
            request.max_content_length = max(request.max_content_length or 0, body_octets_of(view))
            ui.provide(lambda: OpenGateway(core, call.user.username, call.user.role))
            return _answered(view(**named))
        except InvalidSetting as error:
            code = "not_found" if isinstance(error, LookupError) else "invalid_field"
            return problem.respond(Refused(code, error.reason, error.name))
        except failures.EXPECTED as error:
            return problem.of(error)

    return answer


def _answered(value: Any) -> Response:
    if isinstance(value, Response):
        return value
    return Response(msgspec.json.encode(value), content_type="application/json", headers=problem.HEADERS)
