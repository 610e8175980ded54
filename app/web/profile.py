"""What a person changes for himself."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.refusals import RequestRefused
from app.web import context, sessions
from app.web.forms import Form
from pennywire import Setting, SettingType

screen = Blueprint("profile", __name__)

_FIELDS = (
    Setting("present", "Present password", SettingType.SECRET, required=True),
    Setting("password", "New password", SettingType.SECRET, required=True, help="At least 8 characters; a long sentence is best."),
    Setting("repeated", "New password again", SettingType.SECRET, required=True),
)


@screen.route("/profile/password", methods=["GET", "POST"])
def password() -> str | Response | tuple[str, int]:
    """Change the own password. Every other session of the user ends."""
    form = Form(_FIELDS)
    if request.method == "POST" and _changed(form):
        sessions.begin(context.snapshot().users_by_id[context.user().id], now=context.now())
        flash("Your password is changed. Other sessions of yours have ended.")
        return redirect(url_for("profile.password"), 303)
    return render_template("profile/password.html", form=form), 422 if form.errors else 200


def _changed(form: Form) -> bool:
    values = form.read(request.form)
    if values is None:
        return False
    username = context.user().username
    try:
        context.parts().authenticator.password(username, values["present"], address=request.remote_addr or "")
    except RequestRefused as error:
        form.errors["present"] = str(error)
        return False
    if values["password"] != values["repeated"]:
        form.errors["repeated"] = "The two passwords differ. Type the same one twice."
        return False
    try:
        context.change(lambda session: administration.set_password(session, username, values["password"], **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    return True
