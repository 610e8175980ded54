"""One plugin: what it brings, and the form of its own settings."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask import request as asked
from werkzeug.wrappers import Response

from app import administration, leftovers
from app.administration import InvalidField
from app.plugins import all_infos
from app.web import context
from app.web.database import db
from app.web.forms import Form
from pennywire import API_VERSION, OLDEST_API_VERSION

screen = Blueprint("plugin_page", __name__)

_API_VERSIONS = str(API_VERSION) if API_VERSION == OLDEST_API_VERSION else f"{OLDEST_API_VERSION} to {API_VERSION}"


@screen.route("/system/plugins/<name>", methods=["GET", "POST"])
def configure(name: str) -> str | Response | tuple[str, int]:
    """Show a plugin, and change the settings that it declares."""
    core = context.core()
    info = all_infos(core.plugins).get(name)
    if info is None:
        abort(404)
    declared = core.plugins.settings.get(name, ())
    stored = administration.stored_plugin_settings(db.session(), name)
    form = Form(declared, administration.shown_plugin_settings(core.plugins, name, stored))
    if asked.method == "POST" and declared and (values := form.read(asked.form)) is not None:
        means: dict[str, Any] = {"plugins": core.plugins, "vault": core.vault, **context.by()}
        try:
            context.change(lambda session: administration.set_plugin_settings(session, name, values, **means))
        except InvalidField as error:
            form.refuse(error)
        else:
            flash("Saved. The engine takes it over within two seconds.")
            return redirect(url_for("plugin_page.configure", name=name), 303)
    shown = {"info": info, "form": form if declared else None, "api_versions": _API_VERSIONS, "kept": _kept(name)}
    return render_template("system/plugin.html", **shown), 422 if form.errors else 200


def _kept(name: str) -> list[str]:
    """Return what the plugin keeps in the database; its tables are known while it is enabled."""
    prefixes = [migrations.prefix for owner, migrations in context.core().plugins.migrations if owner == name]
    return leftovers.survey(db.session(), name, prefixes).in_words()
