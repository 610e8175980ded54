"""Changes of price lists: who calls gives the gateway and a session of it that writes. Every change is audited.

What takes effect for customers raises the version of the configuration, so that every process reads its lists again.
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pennywire import InvalidSetting, Storage
from pennywire_tariff.models import Activation, Assignment, Member, PriceList, Version

SIDES = ("sell", "buy")
DIRECTIONS = ("outbound", "inbound")
HOLDERS = ("user", "group", "default")
LONGEST_NAME = 64
LONGEST_CURRENCY = 8
FARTHEST = timedelta(days=5 * 366)


class NotThere(InvalidSetting, LookupError):
    """There is no list, version or activation of that name."""


def find_list(session: Session, name: str) -> PriceList:
    """Return a list by its name. Raises: NotThere."""
    row = session.scalars(select(PriceList).where(PriceList.name == name)).first()
    if row is None:
        raise NotThere("list", f"There is no price list {name!r}.")
    return row


def find_version(session: Session, price_list: PriceList, number: int) -> Version:
    """Return a version of a list by its number. Raises: NotThere."""
    row = session.scalars(select(Version).where(Version.list_id == price_list.id, Version.number == number)).first()
    if row is None:
        raise NotThere("version", f"The price list {price_list.name} has no version {number}.")
    return row


def _checked_name(name: str, field: str) -> str:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidSetting(field, f"A name has 1 to {LONGEST_NAME} printable characters, without blanks around it.")
    return name


def _checked_currency(currency: str) -> str:
    if len(currency) > LONGEST_CURRENCY or not currency.isprintable():
        raise InvalidSetting("currency", f"A currency label has at most {LONGEST_CURRENCY} printable characters.")
    return currency


def add_list(
    gateway: Storage,
    session: Session,
    name: str,
    *,
    side: str = "sell",
    direction: str = "outbound",
    currency: str = "",
    provider: str = "",
) -> PriceList:
    """Add a list without versions. A buy list belongs to a provider. Raises: InvalidSetting."""
    _checked_name(name, "name")
    _refuse_twin(session, name, None)
    if side not in SIDES:
        raise InvalidSetting("side", "The side is sell or buy.")
    if direction not in DIRECTIONS:
        raise InvalidSetting("direction", "The direction is outbound or inbound.")
    if (side == "buy") != bool(provider):
        raise InvalidSetting("provider", "A buy list names the service provider that charges by it; a sell list names none.")
    if side == "buy":
        if provider not in gateway.providers():
            raise InvalidSetting("provider", f"There is no service provider {provider!r}.")
        twin = select(PriceList.name).where(PriceList.provider == provider, PriceList.direction == direction)
        if (other := session.scalars(twin).first()) is not None:
            raise InvalidSetting("provider", f"The provider {provider} has the list {other} already. Import a new version into it.")
    row = PriceList(
        name=name, side=side, direction=direction, currency=_checked_currency(currency), provider=provider, created_at=gateway.now
    )
    session.add(row)
    session.flush()
    gateway.audit(session, "add", f"price list {name}", after={"side": side, "direction": direction, "provider": provider})
    return row


def _refuse_twin(session: Session, name: str, own_id: int | None) -> None:
    twin = session.scalars(select(PriceList.id).where(PriceList.name == name)).first()
    if twin is not None and twin != own_id:
        raise InvalidSetting("name", f"There is a price list {name} already. Choose another name.")


def edit_list(gateway: Storage, session: Session, row: PriceList, *, name: str, currency: str) -> None:
    """Rename a list, or change its currency's label. Raises: InvalidSetting."""
    _checked_name(name, "name")
    _refuse_twin(session, name, row.id)
    before = {"name": row.name, "currency": row.currency}
    row.name, row.currency = name, _checked_currency(currency)
    gateway.audit(session, "edit", f"price list {before['name']}", before=before, after={"name": name, "currency": currency})
    gateway.changed(session)


def delete_list(gateway: Storage, session: Session, row: PriceList) -> None:
    """Remove a list that nobody ever paid by. Raises: InvalidSetting: what has held stays, for whoever asks why a price was what it was."""
    held = select(func.count()).select_from(Activation).where(Activation.list_id == row.id)
    if session.scalars(held).one():
        raise InvalidSetting("list", f"Versions of {row.name} were activated, so it stays. Take it from its customers instead.")
    if session.scalars(select(Version.id).where(Version.list_id == row.id)).first() is not None:
        raise InvalidSetting("list", f"{row.name} has drafts. Delete them first.")
    gateway.audit(session, "delete", f"price list {row.name}")
    session.delete(row)
    gateway.changed(session)


# Who pays by it.


def assignments(session: Session, row: PriceList) -> list[Assignment]:
    """Return who pays by a list, in the order of the alphabet."""
    statement = select(Assignment).where(Assignment.list_id == row.id).order_by(Assignment.kind, Assignment.name)
    return list(session.scalars(statement))


def assign(gateway: Storage, session: Session, row: PriceList, kind: str, name: str = "") -> None:
    """Let a user, a group or, as `default`, everybody else pay by a sell list; an earlier list of theirs is replaced.

    Raises: InvalidSetting.
    """
    if row.side != "sell":
        raise InvalidSetting("list", f"{row.name} is a buy list: it belongs to the provider {row.provider}.")
    if kind not in HOLDERS:
        raise InvalidSetting("kind", "A list is assigned to a user, a group, or as the default.")
    if (kind == "default") == bool(name):
        raise InvalidSetting("name", "The default list names nobody; a user or a group is named.")
    if kind == "user" and name not in gateway.users():
        raise InvalidSetting("name", f"There is no user {name!r}.")
    if kind == "group" and name not in group_names(session):
        raise InvalidSetting("name", f"There is no group {name!r}: nobody is in it. Put a user into it first.")
    present = session.get(Assignment, (row.direction, kind, name))
    before = {"list": session.get_one(PriceList, present.list_id).name} if present else None
    session.merge(Assignment(direction=row.direction, kind=kind, name=name, list_id=row.id))
    gateway.audit(session, "assign", f"price list {row.name}", before=before, after={"list": row.name, "to": f"{kind} {name}".strip()})
    gateway.changed(session)


def unassign(gateway: Storage, session: Session, row: PriceList, kind: str, name: str = "") -> None:
    """Take a list from whom it is assigned to. Raises: NotThere."""
    present = session.get(Assignment, (row.direction, kind, name))
    if present is None or present.list_id != row.id:
        raise NotThere("name", f"{f'{kind} {name}'.strip()} does not pay by {row.name}.")
    session.delete(present)
    gateway.audit(session, "unassign", f"price list {row.name}", before={"to": f"{kind} {name}".strip()})
    gateway.changed(session)


def group_names(session: Session) -> list[str]:
    """Return the groups that have members."""
    return list(session.scalars(select(Member.group_name).distinct().order_by(Member.group_name)))


def members(session: Session) -> list[Member]:
    """Return who is in which group."""
    return list(session.scalars(select(Member).order_by(Member.group_name, Member.username)))


def set_group(gateway: Storage, session: Session, username: str, group: str) -> None:
    """Put a user into a group, out of the one that he was in; an empty group is none. Raises: InvalidSetting."""
    if username not in gateway.users():
        raise InvalidSetting("username", f"There is no user {username!r}.")
    present = session.get(Member, username)
    before = {"group": present.group_name} if present else None
    if group:
        session.merge(Member(username=username, group_name=_checked_name(group, "group")))
    elif present is not None:
        session.delete(present)
    gateway.audit(session, "group", f"user {username}", before=before, after={"group": group})
    gateway.changed(session)


# When versions hold.


def activations(session: Session, list_id: int) -> list[Activation]:
    """Return the activations of a list that were not cancelled, in the order in which they take effect."""
    statement = (
        select(Activation).where(Activation.list_id == list_id, Activation.cancelled_at.is_(None)).order_by(Activation.at, Activation.id)
    )
    return list(session.scalars(statement))


def present_version(session: Session, row: PriceList, at: datetime) -> Version | None:
    """Return the version that holds at a moment, or None."""
    held = [activation for activation in activations(session, row.id) if activation.at <= at]
    return session.get_one(Version, held[-1].version_id) if held else None


def states(session: Session, row: PriceList, now: datetime) -> dict[int, str]:
    """Return the state of each version by id: loading, draft, scheduled, active, past, or unused (sealed, and never held)."""
    versions = session.scalars(select(Version).where(Version.list_id == row.id)).all()
    found = {version.id: "unused" if version.state == "sealed" else version.state for version in versions}
    rows = activations(session, row.id)
    past = [activation.version_id for activation in rows if activation.at <= now]
    found |= dict.fromkeys(past, "past")
    found |= {activation.version_id: "scheduled" for activation in rows if activation.at > now}
    return found | ({past[-1]: "active"} if past else {})


def activate(gateway: Storage, session: Session, row: PriceList, version: Version, at: datetime | None = None) -> Activation:
    """Let a version hold from a moment on, now if none is given, and seal it. An earlier version again is a rollback.

    Raises: InvalidSetting; a moment of the past would change what was sold.
    """
    now = gateway.now
    moment = now if at is None else at
    if moment < now:
        raise InvalidSetting("at", "That time is past. Prices of the past do not change; give a time to come, or none for now.")
    if moment > now + FARTHEST:
        raise InvalidSetting("at", "That time is more than five years away.")
    if version.state == "loading":
        raise InvalidSetting("version", f"Version {version.number} is not loaded to its end. Import it again.")
    if version.entry_count == 0:
        raise InvalidSetting("version", f"Version {version.number} has no price. Add one, even if it is a default of 0.")
    version.state = "sealed"
    made = Activation(list_id=row.id, version_id=version.id, at=moment, created_at=now, created_by=gateway.username)
    session.add(made)
    session.flush()
    gateway.audit(session, "activate", f"price list {row.name}", after={"version": version.number, "at": moment.isoformat()})
    gateway.changed(session)
    return made


def roll_back(gateway: Storage, session: Session, row: PriceList) -> Activation:
    """Let the version that held before the present one hold again, from now on. Raises: InvalidSetting."""
    held = [activation for activation in activations(session, row.id) if activation.at <= gateway.now]
    earlier = [activation for activation in held if activation.version_id != held[-1].version_id]
    if not earlier:
        raise InvalidSetting("list", f"No other version of {row.name} has ever held.")
    return activate(gateway, session, row, session.get_one(Version, earlier[-1].version_id))


def cancel_activation(gateway: Storage, session: Session, row: PriceList, activation_id: int) -> None:
    """Take back an activation that has not taken effect. Raises: NotThere, InvalidSetting."""
    found = session.get(Activation, activation_id)
    if found is None or found.list_id != row.id or found.cancelled_at is not None:
        raise NotThere("activation", f"The price list {row.name} has no activation {activation_id}.")
    now = gateway.now
    if found.at <= now:
        raise InvalidSetting("activation", "It has taken effect, and messages were sold by it. Activate another version instead.")
    found.cancelled_at = now
    number = session.get_one(Version, found.version_id).number
    gateway.audit(session, "cancel", f"price list {row.name}", before={"version": number, "at": found.at.isoformat()})
    gateway.changed(session)
