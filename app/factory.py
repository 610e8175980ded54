"""The web application: the core, the screens, the HTTP APIs and the plugins' blueprints, put together."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Response
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]  # the package carries no annotations
from jinja2 import StrictUndefined
from sqlalchemy import text
from werkzeug.middleware.proxy_fix import ProxyFix

from app.authentication import Authenticator
from app.config import Settings, load
from app.core import Core, open_core
from app.intake import Intake
from app.plugins import PluginInfo, Plugins
from app.web import (
    api,
    applications,
    approvals,
    audit,
    compose,
    connection_test,
    connections,
    context,
    credit,
    errors,
    filters,
    first_run,
    home,
    keys,
    mail,
    margin,
    menu,
    message,
    messages,
    plugin_page,
    pricing,
    profile,
    receipts,
    reports,
    restarting,
    routing,
    routing_test,
    security,
    sessions,
    setup,
    sign_in,
    signing,
    statements,
    system,
    users,
    warnings,
)
from app.web.api.plugin_views import guard_programs, publish
from app.web.context import EXTENSION, Parts
from app.web.database import db

_LOG = logging.getLogger("pennywire.web")

_SCREENS = (
    home,
    first_run,
    messages,
    message,
    compose,
    users,
    signing,
    applications,
    keys,
    margin,
    credit,
    warnings,
    approvals,
    connection_test,
    connections,
    receipts,
    routing,
    routing_test,
    pricing,
    reports,
    statements,
    system,
    audit,
    mail,
    plugin_page,
    profile,
    setup,
    sign_in,
)


def create_app(config: Settings | Mapping[str, Any] | None = None, *, plugins: Plugins | None = None) -> Flask:
    """Return the web application.

    `config` are the settings, or overrides of what file and environment say. The database's schema must be there.
    Raises: InvalidSettings, UnsafeDatabase, Unavailable, DuplicateKind.
    """
    settings = config if isinstance(config, Settings) else load(config)
    core = open_core(settings, plugins=plugins)
    app = Flask(
        "app",
        root_path=str(Path(__file__).parent),
        template_folder=_folder("templates"),
        static_folder=_folder("static"),
        # The folder has another name in a wheel; the address has not.
        static_url_path="/static",
    )
    security.configure(app, core.settings)
    app.config["SQLALCHEMY_DATABASE_URI"] = core.settings.url
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    intake, authenticator = Intake(core), Authenticator(core)
    parts = app.extensions[EXTENSION] = Parts(core, intake, authenticator)
    db.init_app(app)
    sessions.register(app)
    filters.register(app)
    app.jinja_env.globals.update(
        menu_tree=menu.tree,
        user_tabs=menu.user_tabs,
        may=context.may,
        user=context.user,
        now=context.now,
        open_notices=warnings.open_notices,
    )
    csrf = security.register(app, core.settings)
    errors.register(app)
    restarting.register(app)
    _add_health(app, core)
    for screen in _SCREENS:
        app.register_blueprint(screen.screen)
    with _new_endpoints(app) as endpoints:
        api.register(app, core, intake, authenticator)
    _let_anyone_in(app, parts, csrf, endpoints)
    app.before_request(context.provide_gateway)
    _mount_plugins(app, parts, csrf)
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]  # Flask's own recipe
    return app


def _folder(name: str) -> str:
    """Return a folder of the wheel (`app/_templates`), or of the checkout that this file lies in."""
    here = Path(__file__).parent
    packed = here / f"_{name}"
    return str(packed if packed.is_dir() else here.parent / name)


@contextmanager
def _new_endpoints(app: Flask) -> Iterator[set[str]]:
    """Yield a set that holds, at the end, the endpoints that were added meanwhile."""
    before, added = set(app.view_functions), set[str]()
    yield added
    added |= set(app.view_functions) - before


def _let_anyone_in(app: Flask, parts: Parts, csrf: CSRFProtect, endpoints: set[str]) -> None:
    """Leave callers and their tokens to views that find out by themselves who calls: programs have neither session nor form."""
    parts.access.open(endpoints)
    for endpoint in endpoints:
        csrf.exempt(app.view_functions[endpoint])


def _mount_plugins(app: Flask, parts: Parts, csrf: CSRFProtect) -> None:
    """Mount the plugins' blueprints; one that cannot be mounted is shown on the *Plugins* page and harms nobody else."""
    plugins = parts.core.plugins
    for name, blueprints in plugins.call("register_blueprints"):
        for blueprint in blueprints or ():
            try:
                with _new_endpoints(app) as endpoints:
                    app.register_blueprint(blueprint, url_prefix=f"/plugins/{blueprint.name}")
            except Exception as error:  # noqa: BLE001  # a plugin may bring anything; it is shown on the Plugins page
                _LOG.exception("the blueprint of plugin %s cannot be mounted", name)
                plugins.infos.setdefault(name, PluginInfo(name)).error = repr(error)
                continue
            app.view_functions.update(guard_programs(app.view_functions, endpoints, parts.core, parts.authenticator))
            _let_anyone_in(app, parts, csrf, parts.access.add_plugin(app, endpoints))
            with _new_endpoints(app) as published:
                publish(app, blueprint.name, endpoints, api.PREFIX)
            _let_anyone_in(app, parts, csrf, published)


def _add_health(app: Flask, core: Core) -> None:
    """Add the address by which a supervisor asks whether this process can work."""

    @app.get("/health")
    def health() -> Response:
        with core.database.read() as session:
            session.execute(text("SELECT 1"))
        return Response("ok\n", mimetype="text/plain")
