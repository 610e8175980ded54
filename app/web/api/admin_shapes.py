"""What the administration part of the modern API reads and answers. Amounts are exact decimal text; whole numbers are read too."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Amount = str | int
"""An amount of credits as a program gives it; a number with decimals has already lost what it was."""


class UserIn(msgspec.Struct, forbid_unknown_fields=True):
    """A user to be added, or what is to be changed of one: members that are not there stay as they are."""

    username: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    accounting_enabled: bool | UnsetType = UNSET
    legacy_api_enabled: bool | UnsetType = UNSET
    gui_enabled: bool | UnsetType = UNSET
    route_override_allowed: bool | UnsetType = UNSET
    source_override_allowed: bool | UnsetType = UNSET
    email: str | UnsetType = UNSET
    default_source: str | UnsetType = UNSET
    country_code: str | UnsetType = UNSET
    repeat_window_s: int | UnsetType = UNSET
    max_segments: int | UnsetType = UNSET

    def settings(self) -> dict[str, Any]:
        """Return what was given, beside name and password."""
        given = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("username", "password")}
        return {name: value for name, value in given.items() if value is not UNSET}


class DeleteIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why a user is deleted, with which a correction brings his balance to 0."""

    reason: str = ""


class UserOut(msgspec.Struct):
    """A user. `deleted_at` is null for one who is there."""

    username: str
    role: str
    kind: str
    active: bool
    accounting_enabled: bool
    legacy_api_enabled: bool
    gui_enabled: bool
    route_override_allowed: bool
    source_override_allowed: bool
    email: str | None
    default_source: str
    country_code: str
    repeat_window_s: int
    max_segments: int
    created_at: datetime
    deleted_at: datetime | None


class UsersOut(msgspec.Struct):
    """A page of users, by name. `next` is the cursor of the next page, null on the last."""

    users: list[UserOut]
    next: str | None


class RetiredOut(msgspec.Struct):
    """What was done to delete a user: messages taken back, keys revoked, credit moved."""

    username: str
    cancelled_messages: int
    revoked_keys: int
    moved: str


class KeyIn(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made."""

    label: str = ""
    scopes: list[str] | UnsetType = UNSET


class KeyOut(msgspec.Struct, omit_defaults=True):
    """A key. `api_key` is there only in the answer to making it."""

    id: int
    label: str
    begins_with: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None
    api_key: str | None = None


class KeysOut(msgspec.Struct):
    """The keys of a user, newest first."""

    keys: list[KeyOut]


class ConnectionOut(msgspec.Struct):
    """A service provider connection: what is wanted of it, and what the engine says."""

    name: str
    kind: str
    provider: str
    desired: str
    state: str
    reason: str
    since: datetime | None
    sent: int
    received: int
    waiting: int


class ConnectionsOut(msgspec.Struct):
    """All connections, by name."""

    connections: list[ConnectionOut]


class AccountOut(msgspec.Struct):
    """An account. `available` is balance minus reserved; it may sink to `limit`, unless the account is unlimited."""

    username: str
    accounting: bool
    currency: str
    balance: str
    reserved: str
    available: str
    limit: str
    unlimited: bool
    parent: str | None


class AccountsOut(msgspec.Struct):
    """A page of accounts, by name of their users."""

    accounts: list[AccountOut]
    next: str | None


class AccountIn(msgspec.Struct, forbid_unknown_fields=True):
    """How far an account may go."""

    limit: Amount | UnsetType = UNSET
    unlimited: bool | UnsetType = UNSET


class MovementIn(msgspec.Struct, forbid_unknown_fields=True):
    """A movement of credit: `top_up` adds, `correct` adds or takes, `set` brings what is available to the amount."""

    kind: str
    amount: Amount
    reason: str
    reference: str = ""


class MovementOut(msgspec.Struct):
    """What became of a movement: `done`, `waits` for a second person as that proposal, or `rejected`."""

    state: str
    amount: str
    proposal: int | None
    detail: str
    account: AccountOut
    #: Told by a header.
    replayed: bool | UnsetType = UNSET


class TransferOut(msgspec.Struct):
    """A row of the ledger as the account sees it: what it adds to balance and to reservations."""

    id: int
    at: datetime
    kind: str
    amount: str
    balance: str
    reserved: str
    message: str | None
    actor: str
    reason: str
    reference: str


class TransfersOut(msgspec.Struct):
    """A page of an account's rows, newest first."""

    transfers: list[TransferOut]
    next: str | None


class AllotIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credit from the account above; a negative amount takes it back."""

    amount: Amount
    reason: str
    reference: str = ""


class LimitIn(msgspec.Struct, forbid_unknown_fields=True):
    """The most of one period: segments, or credits."""

    most: Amount


class CalendarIn(msgspec.Struct, forbid_unknown_fields=True):
    """Where days and weeks begin: an IANA time zone, empty for the gateway's; a weekday by name."""

    time_zone: str = ""
    week_start: str = "Monday"


class ParentIn(msgspec.Struct, forbid_unknown_fields=True):
    """The user whose account is above, null for none; `own` or `shared`."""

    parent: str | None
    mode: str = "own"


class LimitOut(msgspec.Struct):
    """One period limit with what is used of it; `ends_at` is null for all time."""

    period: str
    unit: str
    most: str
    used: str
    started_at: datetime | None
    ends_at: datetime | None


class LimitsOut(msgspec.Struct):
    """The limits of an account, the shortest period first, and its calendar."""

    time_zone: str
    week_start: str
    limits: list[LimitOut]


class ReasonIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why something is done."""

    reason: str = ""


class SuspensionOut(msgspec.Struct):
    """Whether an account is suspended, since when, by whom and why. `automatic`: credit releases it."""

    suspended: bool
    at: datetime | None = None
    actor: str | None = None
    reason: str | None = None
    automatic: bool | None = None


class WarningsIn(msgspec.Struct, forbid_unknown_fields=True):
    """When the owner is warned: at thresholds of credit left. The account is suspended below one bound, released above the other."""

    thresholds: list[Amount] = []
    email: str = ""
    callback_url: str = ""
    suspend_below: Amount | None = None
    release_above: Amount | None = None


class WarningsOut(msgspec.Struct):
    """As `WarningsIn`, in exact text."""

    thresholds: list[str]
    email: str
    callback_url: str
    suspend_below: str | None
    release_above: str | None


class ProposalOut(msgspec.Struct):
    """A movement that waits for a second person, or what became of it: `waits`, `approved`, `rejected`."""

    id: int
    username: str
    kind: str
    amount: str
    reason: str
    reference: str
    proposed_by: str
    proposed_at: datetime
    state: str
    decided_by: str
    decided_at: datetime | None
    decision_reason: str
    moved: str | None


class ProposalsOut(msgspec.Struct):
    """Proposals: those that wait, oldest first; those that were decided, newest first."""

    proposals: list[ProposalOut]


class ClosedOut(msgspec.Struct):
    """A closed month of an account."""

    number: int
    month: str
    opening: str
    added: str
    used: str
    closing: str
    closed_at: datetime


class StatementsOut(msgspec.Struct):
    """The closed months of an account, newest first."""

    statements: list[ClosedOut]


class CheckOut(msgspec.Struct):
    """A check of the ledger. Without `ended_at` it is under way; `correct` is null where it could not be finished."""

    id: int
    started_at: datetime
    ended_at: datetime | None
    correct: bool | None
    totals: dict[str, Any]
    counts: dict[str, Any]
    findings: list[Any]
    error: str


class ChecksOut(msgspec.Struct):
    """The last checks, newest first."""

    checks: list[CheckOut]


class RuleOut(msgspec.Struct):
    """A configured pricing rule; they are asked in this order, before a route's Cost."""

    name: str
    kind: str
    enabled: bool
    settings: dict[str, Any]


class RulesOut(msgspec.Struct):
    """The pricing rules in their order."""

    rules: list[RuleOut]
