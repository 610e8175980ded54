"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=96), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "concat_references",
        sa.Column("source", sa.String(length=21), nullable=False),
        sa.Column("destination", sa.String(length=21), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "destination"),
    )
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("buy_uc", sa.BigInteger(), nullable=True),
        sa.Column("desired", sa.String(length=8), nullable=False),
        sa.Column("retired_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index(op.f("ix_connections_provider"), "connections", ["provider"], unique=False)
    op.create_table(
        "duties",
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("engine_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "engines",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=128), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "uq_event_version",
        "events",
        ["message_id", "version"],
        unique=True,
        sqlite_where=sa.text("message_id IS NOT NULL"),
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "incoming_segments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=21), nullable=False),
        sa.Column("destination", sa.String(length=21), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=False),
        sa.Column("total", sa.SmallInteger(), nullable=False),
        sa.Column("segment_index", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incoming_fingerprint", "incoming_segments", ["fingerprint", "received_at"], unique=False)
    op.create_index("ix_incoming_message", "incoming_segments", ["message_id"], unique=False)
    op.create_index(
        "ix_incoming_waiting",
        "incoming_segments",
        ["source", "reference"],
        unique=False,
        sqlite_where=sa.text("message_id IS NULL"),
        postgresql_where=sa.text("message_id IS NULL"),
    )
    op.create_table(
        "journal_cursors",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consumer"),
    )
    op.create_table(
        "margin_sums",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("route_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("country_code", sa.String(length=3), nullable=False),
        sa.Column("segment_count", sa.BigInteger(), nullable=False),
        sa.Column("priced_count", sa.BigInteger(), nullable=False),
        sa.Column("sold_uc", sa.BigInteger(), nullable=False),
        sa.Column("bought_uc", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "user_id", "route_id", "provider", "country_code"),
    )
    op.create_table(
        "messages",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("folder", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=21), nullable=False),
        sa.Column("destination", sa.String(length=21), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("udh", sa.LargeBinary(), nullable=True),
        sa.Column("alphabet", sa.String(length=8), nullable=False),
        sa.Column("message_class", sa.SmallInteger(), nullable=True),
        sa.Column("segment_count", sa.SmallInteger(), nullable=False),
        sa.Column("concat_reference", sa.Integer(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("send_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("report_requested", sa.Boolean(), nullable=False),
        sa.Column("report_due_at", INSTANT, nullable=True),
        sa.Column("report_missing", sa.Boolean(), nullable=False),
        sa.Column("client_reference", sa.String(length=96), nullable=False),
        sa.Column("entrance", sa.String(length=8), nullable=False),
        sa.Column("route_id", sa.Integer(), nullable=True),
        sa.Column("route_why", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("price_uc", sa.BigInteger(), nullable=False),
        sa.Column("price_why", sa.Text(), nullable=False),
        sa.Column("buy_per_segment_uc", sa.BigInteger(), nullable=True),
        sa.Column("buy_uc", sa.BigInteger(), nullable=True),
        sa.Column("buy_why", sa.Text(), nullable=False),
        sa.Column("charged", sa.Boolean(), nullable=False),
        sa.Column("level_count", sa.SmallInteger(), nullable=False),
        sa.Column("counted_count", sa.SmallInteger(), nullable=False),
        sa.Column("terms", sa.String(length=8), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("error_reason", sa.Text(), nullable=False),
        sa.Column("downloaded_at", INSTANT, nullable=True),
        sa.Column("incomplete", sa.Boolean(), nullable=False),
        sa.Column("parameters", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_message_folder", "messages", ["user_id", "folder", "id"], unique=False)
    op.create_index(
        "ix_message_reference",
        "messages",
        ["user_id", "client_reference"],
        unique=False,
        sqlite_where=sa.text("client_reference <> ''"),
        postgresql_where=sa.text("client_reference <> ''"),
    )
    op.create_index(
        "ix_message_report_due",
        "messages",
        ["report_due_at"],
        unique=False,
        sqlite_where=sa.text("report_due_at IS NOT NULL"),
        postgresql_where=sa.text("report_due_at IS NOT NULL"),
    )
    op.create_table(
        "options",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment_index", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("attempt_count", sa.SmallInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column("connection_id", sa.Integer(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("message_id", "segment_index"),
    )
    op.create_index(
        "ix_outbox_attempt",
        "outbox",
        ["attempt_id"],
        unique=False,
        sqlite_where=sa.text("attempt_id IS NOT NULL"),
        postgresql_where=sa.text("attempt_id IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_doubt", "outbox", ["deadline_at"], unique=False, sqlite_where=sa.text("state = 2"), postgresql_where=sa.text("state = 2")
    )
    op.create_index(
        "ix_outbox_due", "outbox", ["due_at"], unique=False, sqlite_where=sa.text("state = 3"), postgresql_where=sa.text("state = 3")
    )
    op.create_index(
        "ix_outbox_expiry", "outbox", ["expires_at"], unique=False, sqlite_where=sa.text("state = 0"), postgresql_where=sa.text("state = 0")
    )
    op.create_table(
        "parked_reports",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("network_id", sa.String(length=65), nullable=False),
        sa.Column("network_ids", JSON, nullable=False),
        sa.Column("destination", sa.String(length=21), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_parked_reports_network_id"), "parked_reports", ["network_id"], unique=False)
    op.create_index(op.f("ix_parked_reports_received_at"), "parked_reports", ["received_at"], unique=False)
    op.create_index(op.f("ix_parked_reports_report_id"), "parked_reports", ["report_id"], unique=False)
    op.create_table(
        "plugins",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "plugin_settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "pricing_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "routes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("conditions", JSON, nullable=False),
        sa.Column("targets", JSON, nullable=False),
        sa.Column("provider_choice", sa.String(length=10), nullable=False),
        sa.Column("negative_margin", sa.String(length=6), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("cost_uc", sa.BigInteger(), nullable=True),
        sa.Column("price_required", sa.Boolean(), nullable=False),
        sa.Column("terms", sa.String(length=8), nullable=False),
        sa.Column("no_credit", sa.String(length=8), nullable=False),
        sa.Column("resend_in_doubt", sa.Boolean(), nullable=False),
        sa.Column("source_rewrite", sa.String(length=21), nullable=False),
        sa.Column("report_timeout_s", sa.Integer(), nullable=False),
        sa.Column("validity_s", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("direction", "name"),
    )
    op.create_table(
        "segments",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment_index", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("network_id", sa.String(length=65), nullable=False),
        sa.Column("buy_uc", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.Column("reported_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("message_id", "segment_index"),
    )
    op.create_index("ix_segment_network_id", "segments", ["network_id", "provider"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("blocked_until", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "transfers",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("debit_id", sa.Integer(), nullable=False),
        sa.Column("credit_id", sa.Integer(), nullable=False),
        sa.Column("amount_uc", sa.BigInteger(), nullable=False),
        sa.Column("released_uc", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("phase", sa.SmallInteger(), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=96), nullable=False),
        sa.CheckConstraint("amount_uc >= 0 AND released_uc >= 0", name="transfer_not_negative"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_transfer_credit",
        "transfers",
        ["credit_id", "at", "id"],
        unique=False,
        sqlite_where=sa.text("kind NOT IN ('charge', 'settle', 'release')"),
        postgresql_where=sa.text("kind NOT IN ('charge', 'settle', 'release')"),
    )
    op.create_index("ix_transfer_debit", "transfers", ["debit_id", "at", "id"], unique=False)
    for side in ("debit", "credit"):
        op.create_index(
            f"ix_transfer_booked_{side}",
            "transfers",
            [f"{side}_id", "at"],
            unique=False,
            sqlite_where=sa.text("message_id IS NULL"),
            postgresql_where=sa.text("message_id IS NULL"),
        )
    op.create_index(
        "uq_transfer_phase",
        "transfers",
        ["message_id", "level", "phase"],
        unique=True,
        sqlite_where=sa.text("message_id IS NOT NULL"),
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("accounting_enabled", sa.Boolean(), nullable=False),
        sa.Column("legacy_api_enabled", sa.Boolean(), nullable=False),
        sa.Column("gui_enabled", sa.Boolean(), nullable=False),
        sa.Column("route_override_allowed", sa.Boolean(), nullable=False),
        sa.Column("source_override_allowed", sa.Boolean(), nullable=False),
        sa.Column("default_source", sa.String(length=21), nullable=False),
        sa.Column("country_code", sa.String(length=3), nullable=False),
        sa.Column("repeat_window_s", sa.Integer(), nullable=False),
        sa.Column("max_segments", sa.SmallInteger(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("retired_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("balance_uc", sa.BigInteger(), nullable=False),
        sa.Column("reserved_uc", sa.BigInteger(), nullable=False),
        sa.Column("limit_uc", sa.BigInteger(), nullable=False),
        sa.Column("unlimited", sa.Boolean(), nullable=False),
        sa.Column("closed_until", INSTANT, nullable=True),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("week_start", sa.SmallInteger(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("parent_mode", sa.String(length=8), nullable=False),
        sa.Column("currency_label", sa.String(length=8), nullable=False),
        sa.CheckConstraint("reserved_uc >= 0", name="reserved_not_negative"),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("user_id"),
    )
    op.create_index(op.f("ix_accounts_parent_id"), "accounts", ["parent_id"], unique=False)
    op.create_table(
        "account_limits",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "period", "unit"),
    )
    op.create_table(
        "account_usage",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.Column("segment_count", sa.BigInteger(), nullable=False),
        sa.Column("amount_uc", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "period", "started_at"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "connection_log",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_connection_log", "connection_log", ["connection_id", "id"], unique=False)
    op.create_table(
        "connection_quality",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("delivered_count", sa.Integer(), nullable=False),
        sa.Column("ended_count", sa.Integer(), nullable=False),
        sa.Column("counted_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("connection_id"),
    )
    op.create_table(
        "connection_status",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=True),
        sa.Column("engine_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("received_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("connection_id"),
    )
    op.create_table(
        "one_time_links",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    _create_watching()
    _create_statements()
    _create_sums()
    op.create_index(
        "ix_outbox_queue",
        "outbox",
        ["provider", "user_id", sa.literal_column("priority DESC"), "message_id", "segment_index"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Order of the journal: ids are given before they are committed, transactions have an order of their own.
        op.execute("ALTER TABLE events ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
        op.execute("CREATE INDEX ix_event_order ON events (xid, id)")
    _insert_first_rows()


def _create_statements() -> None:
    """Make what closed months leave behind."""
    op.create_table(
        "closed_statements",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("opening_uc", sa.BigInteger(), nullable=False),
        sa.Column("added_uc", sa.BigInteger(), nullable=False),
        sa.Column("used_uc", sa.BigInteger(), nullable=False),
        sa.Column("closing_uc", sa.BigInteger(), nullable=False),
        sa.Column("opening_reserved_uc", sa.BigInteger(), nullable=False),
        sa.Column("closing_reserved_uc", sa.BigInteger(), nullable=False),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("sent_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("received_count", sa.BigInteger(), nullable=False),
        sa.Column("received_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=True),
        sa.Column("last_id", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("groups", JSON, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.Column("closed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "month"),
        sa.UniqueConstraint("account_id", "ends_at"),
    )
    op.create_index("ix_closed_statement_month", "closed_statements", ["month", "account_id"], unique=False)


def _create_watching() -> None:
    """Make what is kept beside accounts: proposals, warnings, suspensions, notices, nightly checks."""
    op.create_table(
        "held_messages",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("price_uc", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "message_id"),
    )
    op.create_table(
        "ledger_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.Column("totals", JSON, nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("findings", JSON, nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ledger_checks_started_at"), "ledger_checks", ["started_at"], unique=False)
    op.create_table(
        "account_watches",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("thresholds", JSON, nullable=False),
        sa.Column("raised", JSON, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=False),
        sa.Column("suspend_below_uc", sa.BigInteger(), nullable=True),
        sa.Column("release_above_uc", sa.BigInteger(), nullable=True),
        sa.Column("suspension_armed", sa.Boolean(), nullable=False),
        sa.Column("low_uc", sa.BigInteger(), nullable=True),
        sa.Column("high_uc", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("threshold_uc", sa.BigInteger(), nullable=True),
        sa.Column("available_uc", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("over_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_notice_account", "notices", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_notice_open",
        "notices",
        ["id"],
        unique=False,
        sqlite_where=sa.text("over_at IS NULL"),
        postgresql_where=sa.text("over_at IS NULL"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount_uc", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=96), nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=False),
        sa.Column("moved_uc", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_proposal_account", "proposals", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_proposal_waits",
        "proposals",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'waits'"),
        postgresql_where=sa.text("state = 'waits'"),
    )
    op.create_table(
        "suspensions",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "movement_keys",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("moved_uc", sa.BigInteger(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposals.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "key"),
    )
    op.create_table(
        "notice_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("try_count", sa.Integer(), nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=True),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notices.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_notice_deliveries_notice_id"), "notice_deliveries", ["notice_id"], unique=False)
    op.create_index(
        "ix_notice_delivery_due",
        "notice_deliveries",
        ["way", "next_try_at"],
        unique=False,
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )


def _create_sums() -> None:
    """Make the sums over the journal."""
    op.create_table(
        "quarter_sums",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("route_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("accepted_count", sa.BigInteger(), nullable=False),
        sa.Column("accepted_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("sent_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("delivered_count", sa.BigInteger(), nullable=False),
        sa.Column("delivered_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("undeliverable_count", sa.BigInteger(), nullable=False),
        sa.Column("undeliverable_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("rejected_count", sa.BigInteger(), nullable=False),
        sa.Column("rejected_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("expired_count", sa.BigInteger(), nullable=False),
        sa.Column("expired_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_count", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt_count", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt_segment_count", sa.BigInteger(), nullable=False),
        sa.Column("charged_uc", sa.BigInteger(), nullable=False),
        sa.Column("settled_uc", sa.BigInteger(), nullable=False),
        sa.Column("released_uc", sa.BigInteger(), nullable=False),
        sa.Column("refunded_uc", sa.BigInteger(), nullable=False),
        sa.Column("standing_sent_count", sa.BigInteger(), nullable=False),
        sa.Column("standing_delivered_count", sa.BigInteger(), nullable=False),
        sa.Column("standing_failed_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "quarter", "direction", "route_id", "provider"),
    )


def _insert_first_rows() -> None:
    op.bulk_insert(sa.table("configuration", sa.column("id"), sa.column("version")), [{"id": 1, "version": 1}])
    first = {"currency": "credit", "balance_uc": 0, "reserved_uc": 0, "limit_uc": 0, "unlimited": True}
    first |= {"limited": False, "time_zone": "", "week_start": 0, "parent_mode": "own", "currency_label": ""}
    op.bulk_insert(
        sa.table("accounts", *(sa.column(name) for name in ("name", "kind", *first))),
        [{"name": name, "kind": name, **first} for name in ("funding", "revenue")],
    )
