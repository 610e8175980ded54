"""Settings: few rows, changed by operators, read into memory as a whole."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json


class Configuration(Base):
    """One row whose version rises with every change of a setting that processes keep in memory."""

    __tablename__ = "configuration"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class Option(Base):
    """A setting that operators change while the gateway runs, such as the home country."""

    __tablename__ = "options"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]]


class User(Base):
    """A person or an application that sends and receives."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(16), unique=True)
    role: Mapped[str] = mapped_column(String(16), default="customer")
    kind: Mapped[str] = mapped_column(String(32), default="standard")
    password_hash: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)
    accounting_enabled: Mapped[bool] = mapped_column(default=False)
    legacy_api_enabled: Mapped[bool] = mapped_column(default=False)
    gui_enabled: Mapped[bool] = mapped_column(default=True)
    route_override_allowed: Mapped[bool] = mapped_column(default=False)
    source_override_allowed: Mapped[bool] = mapped_column(default=True)
    #: Sender of messages that name none, and of all where the user may not choose.
    default_source: Mapped[str] = mapped_column(String(21), default="")
    #: Calling code for national numbers, without plus; empty means the gateway's.
    country_code: Mapped[str] = mapped_column(String(3), default="")
    #: Seconds in which an identical legacy GET is answered with the first result; 0 is off.
    repeat_window_s: Mapped[int] = mapped_column(default=0)
    max_segments: Mapped[int] = mapped_column(SmallInteger, default=10)
    #: Where a link for a new password is sent; NULL or empty: nowhere.
    email: Mapped[str | None] = mapped_column(String(254))
    #: Rises when sessions must end: a new password, a switch-off.
    session_epoch: Mapped[int] = mapped_column(default=0)
    #: When he was deleted. What he sent, and every movement of his credit, stays under his name, which nobody else gets.
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A key for the modern API; only its SHA-256 is kept."""

    __tablename__ = "api_keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(String(64), default="")
    #: The first characters, by which people tell keys apart.
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: What it opens: words of `administration.SCOPES` with blanks between them.
    scopes: Mapped[str] = mapped_column(String(64), default="send read account")
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """A link that works once: set-up of the administrator, or a user's new password. Only the SHA-256 of its token is kept."""

    __tablename__ = "one_time_links"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Throttle(Base):
    """Failed attempts by name or address, shared by all processes, counted before a slow hash is computed."""

    __tablename__ = "throttles"
    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    failure_count: Mapped[int]
    blocked_until: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class ServiceConnection(Base):
    """A service provider connection: a kind with settings. `desired` is what the operator wants, `started` or `stopped`."""

    __tablename__ = "connections"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    #: Connections with one provider name share its queue: balancing and failover.
    provider: Mapped[str] = mapped_column(String(64), index=True)
    settings: Mapped[dict[str, Any]]
    #: What it charges for a segment where no buy list says; NULL is not known.
    buy_uc: Mapped[int | None] = mapped_column(BigInteger)
    desired: Mapped[str] = mapped_column(String(8), default="stopped")
    #: When it was deleted. The row stays for the messages that it carried; its name is free again.
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ConnectionStatus(Base):
    """What the engine that holds a connection says of it; the lease with its fencing token."""

    __tablename__ = "connection_status"
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    #: `down`, `connecting`, `up`, `failed`.
    state: Mapped[str] = mapped_column(String(16), default="down")
    reason: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime | None]
    engine_id: Mapped[str] = mapped_column(String(32), default="")
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None]
    sent_count: Mapped[int] = mapped_column(BigInteger, default=0)
    received_count: Mapped[int] = mapped_column(BigInteger, default=0)


class ConnectionQuality(Base):
    """How well a connection has delivered of late; counted once a minute, while a route chooses by it."""

    __tablename__ = "connection_quality"
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    delivered_count: Mapped[int]
    #: Delivered or failed: messages whose end is known.
    ended_count: Mapped[int]
    counted_at: Mapped[datetime]


class ConnectionLog(Base):
    """Lines for the *Events* page of a connection."""

    __tablename__ = "connection_log"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    line: Mapped[str]
    __table_args__ = (Index("ix_connection_log", "connection_id", "id"),)


class Route(Base):
    """One row of the routing table of its direction, asked in the order of `position`.

    Outbound: `targets` are provider names, the first that can carries it, `*` is any. Inbound: `targets` are user names, each
    gets a copy. `conditions` are `{"kind": …, "settings": {…}}`.
    """

    __tablename__ = "routes"
    id: Mapped[int] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(String(8))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(64))
    enabled: Mapped[bool] = mapped_column(default=True)
    conditions: Mapped[list[Any]]
    targets: Mapped[list[Any]]
    #: Outbound: a word of `lifecycle.ProviderChoice`, and one of `lifecycle.NegativeMargin`.
    provider_choice: Mapped[str] = mapped_column(String(10), default="order")
    negative_margin: Mapped[str] = mapped_column(String(6), default="ignore")
    #: Inbound: `move` stops at this route, `copy` goes on, `drop` throws away.
    mode: Mapped[str] = mapped_column(String(8), default="move")
    #: Price of a segment in microcredits; NULL means the default of the direction.
    cost_uc: Mapped[int | None] = mapped_column(BigInteger)
    price_required: Mapped[bool] = mapped_column(default=False)
    #: `Terms.code()`.
    terms: Mapped[str] = mapped_column(String(8), default="nkkkr")
    no_credit: Mapped[str] = mapped_column(String(8), default="deliver")
    resend_in_doubt: Mapped[bool] = mapped_column(default=False)
    #: Sender that replaces the message's; empty leaves it.
    source_rewrite: Mapped[str] = mapped_column(String(21), default="")
    report_timeout_s: Mapped[int] = mapped_column(default=72 * 3600)
    validity_s: Mapped[int] = mapped_column(default=48 * 3600)
    __table_args__ = (UniqueConstraint("direction", "name"),)


class PricingRow(Base):
    """One configured pricing rule, asked in the order of `position` before the route's Cost."""

    __tablename__ = "pricing_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(default=True)


class PluginRow(Base):
    """Whether a plugin is enabled; one without a row has the default of its origin."""

    __tablename__ = "plugins"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    enabled: Mapped[bool]


class PluginSettings(Base):
    """The settings of a plugin itself, secrets encrypted; one without a row has its defaults."""

    __tablename__ = "plugin_settings"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    settings: Mapped[dict[str, Any]]


class PluginValue(Base):
    """A value that a plugin keeps under a key, as JSON; `connection_id` is 0 for what belongs to no connection."""

    __tablename__ = "plugin_values"
    plugin: Mapped[str] = mapped_column(String(64), primary_key=True)
    connection_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str]
    __table_args__ = (Index("ix_plugin_value_connection", "connection_id"),)


class AuditEntry(Base):
    """One change of a setting or of money by a person. Append-only: the database refuses to change or delete a row."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    verb: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(96))
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    __table_args__ = (Index("ix_audit_actor", "actor", "id"), Index("ix_audit_subject", "subject", "id"))
