"""The HTTP entrances for programs: the legacy dialects and the modern API, on one blueprint without sessions or templates."""

from functools import partial

from flask import Blueprint, Flask, Response, request

from app.authentication import Authenticator
from app.core import Core
from app.intake import Intake
from app.web.api import admin, legacy, problem
from app.web.api.keyed import Keyed
from app.web.api.legacy import LegacyApi
from app.web.api.rest import RestApi
from app.web.api.sessionless import SessionlessPaths

NAME = "api"
"""Name of the blueprint: what guards browsers' sessions leaves it alone."""

PREFIX = "/api/v1"


def register(app: Flask, core: Core, intake: Intake, authenticator: Authenticator) -> None:
    """Mount the APIs. They look after their callers by themselves and answer their own errors in their own dialects."""
    blueprint = Blueprint(NAME, __name__)
    old, modern = LegacyApi(core, intake, authenticator), RestApi(core, intake, authenticator)
    # Every method is taken, so that a wrong one is answered in the dialect.
    mount = partial(blueprint.add_url_rule, methods=legacy.METHODS, provide_automatic_options=False, strict_slashes=False)
    for path in legacy.PATHS:
        mount(path, "legacy", old.view)
    mount(f"{PREFIX}/messages", "messages", modern.messages)
    mount(f"{PREFIX}/messages/<reference>", "message", modern.message)
    mount(f"{PREFIX}/account", "account", modern.account)
    keyed = Keyed(core, authenticator)
    for name, (address, works) in admin.ADDRESSES.items():
        mount(PREFIX + address, name, keyed.view(works))
    mount(f"{PREFIX}/<path:rest>", "nothing", modern.nothing)

    @blueprint.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        return old.fail(error) if request.endpoint == f"{NAME}.legacy" else problem.of(error)

    app.register_blueprint(blueprint)
    app.session_interface = SessionlessPaths(app.session_interface, legacy.PATHS)
