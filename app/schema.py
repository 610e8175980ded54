"""What an empty database needs besides tables: the system's accounts and the first configuration."""

from sqlalchemy import DDL, Connection, Engine, event, insert, select

from app.ledger import FUNDING, REVENUE
from app.models import Account, AuditEntry, Base, Configuration, JournalEvent

_ON_POSTGRESQL = (
    "ALTER TABLE events ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX ix_event_order ON events (xid, id)",
)
for _statement in _ON_POSTGRESQL:
    _ddl = DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy left its constructor untyped
    event.listen(JournalEvent.__table__, "after_create", _ddl.execute_if(dialect="postgresql"))

_ONLY_WRITTEN = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only written'); END"
        for act in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        """CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'the audit log is only written'; END$$""",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
    ),
}
"""What keeps rows of the audit log as they were written, whoever asks."""
for _dialect, _statements in _ONLY_WRITTEN.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]  # As above.
        event.listen(AuditEntry.__table__, "after_create", _ddl.execute_if(dialect=_dialect))


def create(engine: Engine) -> None:
    """Make all tables of an empty database, with what belongs in them. The migrations give the same; a test compares."""
    with engine.execution_options(writes=True).begin() as connection:
        Base.metadata.create_all(connection)
        seed(connection)


def seed(connection: Connection) -> None:
    """Insert the rows that every database has; does nothing where they are."""
    if connection.execute(select(Configuration.id)).first() is None:
        connection.execute(insert(Configuration), [{"id": 1, "version": 1}])
    present = set(connection.execute(select(Account.name)).scalars())
    rows = [
        {"name": name, "kind": name, "currency": "credit", "balance_uc": 0, "reserved_uc": 0, "limit_uc": 0, "unlimited": True}
        for name in (FUNDING, REVENUE)
        if name not in present
    ]
    if rows:
        connection.execute(insert(Account), rows)
