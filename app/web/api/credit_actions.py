"""`getcredits`, `setcredits`, `addcredits`: reading and changing an account by the legacy dialect."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app import administration, ledger
from app.administration import InvalidField, Movement, NotThere
from app.models import Account
from app.refusals import RequestRefused
from app.snapshot import UserView
from app.web.api.legacy_answers import Form, Reply
from app.web.api.legacy_call import Call

ADMINISTRATOR = "administrator"
UNLIMITED = "-1"
"""What Message Server 6 answers for an account without a limit."""


def get(call: Call) -> Reply:
    """Answer balance minus reserved of the caller, or for administrators of anybody. Raises: RequestRefused."""
    user = _account_holder(call)
    with call.core.database.read() as session:
        return _reply(call, "getcredits", user, _Changed(session.get_one(Account, user.account_id)))


def set_balance(call: Call) -> Reply:
    """Bring balance minus reserved to `newbalance`; without a value nothing is changed. Raises: RequestRefused."""
    _require_administrator(call)
    user = _account_holder(call)
    wanted = call.parameters.get("newbalance").strip()
    if not wanted:
        return _reply(call, "setcredits", user, _change(call, user, lambda _session: None))
    target_uc = _amount(wanted, "newbalance")
    now, actor = call.core.clock(), call.user.username

    def work(session: Session) -> Movement:
        return administration.set_credits(session, user.username, target_uc, now=now, actor=actor, reason="HTTP API: setcredits")

    return _reply(call, "setcredits", user, _change(call, user, work))


def add(call: Call) -> Reply:
    """Add `add`, which may be negative, to a balance. Raises: RequestRefused."""
    _require_administrator(call)
    user = _account_holder(call)
    text = call.parameters.get("add").strip()
    if not text:
        raise RequestRefused("missing_parameter", "The parameter add is missing. Give the credits to add, such as 100 or -5.", "add")
    amount_uc = _amount(text, "add")
    now, actor = call.core.clock(), call.user.username

    def work(session: Session) -> Movement | None:
        if not amount_uc:
            return None
        return administration.top_up(session, user.username, amount_uc, now=now, actor=actor, reason="HTTP API: addcredits")

    return _reply(call, "addcredits", user, _change(call, user, work))


@dataclass(frozen=True, slots=True)
class _Changed:
    """An account after a change, and what is to be said where nothing has moved yet."""

    account: Account
    notice: str = ""


def _change(call: Call, user: UserView, work: Callable[[Session], Movement | None]) -> _Changed:
    """Do `work` and return the account as it is then. Raises: RequestRefused."""

    def changed(session: Session) -> _Changed:
        movement = work(session)
        session.flush()
        account = session.get_one(Account, user.account_id)
        session.refresh(account)
        return _Changed(account, movement.words if movement is not None and movement.waits else "")

    try:
        return call.core.database.run(changed)
    except InvalidField as error:
        raise RequestRefused("invalid_parameter", error.reason, error.field) from error
    except NotThere as error:
        raise RequestRefused("not_found", str(error), "useraccount") from error


def _account_holder(call: Call) -> UserView:
    """Return the user whose account is meant: `useraccount`, or the caller. Raises: RequestRefused."""
    name = call.parameters.get("useraccount").strip()
    if not name or name == call.user.username:
        return call.user
    if call.user.role != ADMINISTRATOR:
        raise RequestRefused("forbidden", "You may read your own credits only. An administrator may read everybody's.", "useraccount")
    user = call.core.snapshots.present().user(name)
    if user is None:
        raise RequestRefused("not_found", f"There is no user {name[:40]!r}. Check the name; it is case-sensitive.", "useraccount")
    return user


def _require_administrator(call: Call) -> None:
    if call.user.role != ADMINISTRATOR:
        raise RequestRefused("forbidden", "Only an administrator may change credits. Ask the operator to top up the account.")


def _amount(text: str, field: str) -> int:
    try:
        return ledger.parse_credits(text)
    except ledger.InvalidAmount as error:
        raise RequestRefused("invalid_parameter", str(error), field) from error


def _reply(call: Call, action: str, user: UserView, changed: _Changed) -> Reply:
    """Answer the balance; a movement that waits for a second person has not changed it, and a further element says so."""
    account = changed.account
    endless = call.form is Form.MS6 and (account.unlimited or not user.accounting_enabled)
    balance = UNLIMITED if endless else ledger.format_credits(account.balance_uc - account.reserved_uc)
    notice = (("statusmessage", changed.notice),) if changed.notice else ()
    return Reply(action, "account", [(("username", user.username), ("balance", balance), *notice)])
