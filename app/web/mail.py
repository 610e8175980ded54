"""System / Mail: the mail server, and a mail that tries it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, notices
from app.administration import MAIL_SETTINGS, InvalidField
from app.mailing import Mail, MailFailed, send
from app.secrets import CannotDecrypt
from app.web import context
from app.web.database import db
from app.web.forms import Form
from pennywire import Setting

screen = Blueprint("mail", __name__)

_TRIAL = (Setting("address", "To", max_length=254, required=True, help="Saved settings are used."),)


@screen.route("/system/mail", methods=["GET", "POST"])
def settings() -> str | Response | tuple[str, int]:
    """Show and change the mail server."""
    form = Form(MAIL_SETTINGS, administration.shown_mail(context.snapshot().options))
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        vault = context.core().vault
        try:
            context.change(lambda session: administration.set_mail(session, values, vault=vault, **context.by()))
        except InvalidField as error:
            form.refuse(error)
        else:
            flash("Saved. Send a mail to try it.")
            return redirect(url_for("mail.settings"), 303)
    return _page(form, _trial_form())


@screen.post("/system/mail/test")
def test() -> str | Response | tuple[str, int]:
    """Send a mail to try the settings, and show what the server says."""
    trial = _trial_form()
    form = Form(MAIL_SETTINGS, administration.shown_mail(context.snapshot().options))
    values = trial.read(request.form)
    if values is None:
        return _page(form, trial)
    try:
        mail = administration.trial_mail(values["address"], now=context.now())
    except InvalidField as error:
        trial.refuse(error)
        return _page(form, trial)
    good, words = _tried(mail)
    return _page(form, trial, good=good, words=words)


def _tried(mail: Mail) -> tuple[bool, str]:
    """Return whether the server took a mail, and its words."""
    try:
        said = send(administration.mail_server(context.snapshot().options, context.core().vault), mail)
    except (MailFailed, CannotDecrypt) as error:
        return False, str(error)
    return True, f"The server took the mail to {mail.address}: {said}"


def _trial_form() -> Form:
    return Form(_TRIAL, {"address": context.snapshot().options.get(notices.OPERATOR_OPTION) or ""})


def _page(form: Form, trial: Form, *, good: bool = True, words: str = "") -> str | tuple[str, int]:
    told = notices.notices_of(db.session(), None)
    page = render_template("system/mail.html", form=form, trial=trial, good=good, words=words, told=told)
    return page, 422 if form.errors or trial.errors else 200
