"""Movements of credit that take a second person: the list of all, those of one user, and the decision."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField, Movement, NotThere
from app.web import context
from app.web.credit import account_of
from app.web.database import db
from app.web.filters import credits as shown

screen = Blueprint("approvals", __name__)


@screen.get("/system/approvals")
def index() -> str:
    """Show what waits for a second person, and what was decided last."""
    return render_template("approvals/all.html", **_lists(None))


@screen.get("/users/<username>/credits/approvals")
def of_user(username: str) -> str:
    """Show a user's proposals."""
    view, account = account_of(username)
    return render_template("approvals/of_user.html", view=view, account=account, **_lists(username))


def _lists(username: str | None) -> dict[str, Any]:
    session = db.session()
    return {
        "waiting": administration.pending(session, username=username),
        "decided": administration.decided(session, username=username),
        "above_uc": administration.second_person_above(session),
        "back": username or "",
    }


@screen.post("/system/approvals/<int:proposal_id>")
def decide(proposal_id: int) -> Response:
    """Approve or reject a proposal."""
    reason, approved = request.form.get("reason", ""), request.form.get("decision") == "approve"
    act = administration.approve if approved else administration.reject

    def work(session: Any) -> Movement:
        return act(session, proposal_id, reason=reason, **context.by())

    try:
        movement = context.change(work)
    except InvalidField as error:
        flash(error.reason, "bad")
    except NotThere as error:
        flash(str(error), "bad")
    else:
        flash(f"Moved {shown(movement.amount_uc)} credits." if approved else "Rejected: nothing has moved.")
    back = request.form.get("back", "")
    known = context.snapshot().user(back)
    page = url_for("approvals.of_user", username=back) if known and known.accounting_enabled else url_for("approvals.index")
    return redirect(page, 303)
