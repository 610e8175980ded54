"""The one-time set-up link: the first administrator chooses name and password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField, NotThere
from app.web import context, sessions
from app.web.database import db
from app.web.forms import Form
from pennywire import Setting, SettingType

screen = Blueprint("setup", __name__)

_FIELDS = (
    Setting("username", "User name", required=True, help="1 to 16 letters, digits, dots, dashes or underscores."),
    Setting("password", "Password", SettingType.SECRET, required=True, help="At least 8 characters; a long sentence is best."),
    Setting("repeated", "Password again", SettingType.SECRET, required=True),
)


@screen.route("/setup/<token>", methods=["GET", "POST"])
def show(token: str) -> str | Response | tuple[str, int]:
    """Make the administrator and sign him in. A link that has been used, or is too old, says how to get another."""
    if not administration.setup_link_valid(db.session(), token, now=context.now()):
        return render_template("sign_in/setup_over.html"), 404
    form = Form(_FIELDS)
    if request.method == "POST" and (values := _read(form)):
        try:
            user = context.change(
                lambda session: administration.use_setup_link(session, token, values["username"], values["password"], now=context.now())
            )
        except InvalidField as error:
            form.refuse(error)
        except NotThere:
            return render_template("sign_in/setup_over.html"), 404
        else:
            sessions.begin(context.snapshot().users_by_id[user.id])
            flash("You are the administrator of this gateway.")
            return redirect(url_for("first_run.index"), 303)
    return render_template("sign_in/setup.html", form=form), 422 if form.errors else 200


def _read(form: Form) -> dict[str, str] | None:
    values = form.read(request.form)
    if values and values["password"] != values["repeated"]:
        form.errors["repeated"] = "The two passwords differ. Type the same one twice."
        return None
    return values
