"""What a credit is called on an account's pages, and the credit line as people write it."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.administration.changes import InvalidField, audit
from app.administration.users import account_of, find_present_user
from app.ledger import InvalidAmount, parse_credits

LONGEST_LABEL = 8


def set_currency_label(session: Session, username: str, label: str, *, now: datetime, actor: str) -> None:
    """Say what a credit of an account is called, such as EUR; empty means credits. No sum changes. Raises: InvalidField, NotThere."""
    name = label.strip()
    if len(name) > LONGEST_LABEL or not name.isprintable():
        raise InvalidField("currency_label", f"It has at most {LONGEST_LABEL} printable characters, such as EUR.")
    account = account_of(session, find_present_user(session, username))
    if account.currency_label == name:
        return
    before, account.currency_label = account.currency_label, name
    session.flush()
    subject = f"user {username}"
    audit(session, now=now, actor=actor, verb="call credits", subject=subject, before={"label": before}, after={"label": name})


def read_credit_line(text: object) -> int:
    """Read how far an account may go below zero, such as 50. Units: microcredits. Raises: InvalidField for 0 and less."""
    try:
        line_uc = parse_credits(text)
    except InvalidAmount as error:
        raise InvalidField("credit_line", str(error)) from error
    if line_uc <= 0:
        raise InvalidField("credit_line", "A credit line is more than 0, such as 50. Without one the account is prepaid.")
    return line_uc
