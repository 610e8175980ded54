"""The contract between Pennywire and its plugins: everything a plugin may import.

Standard library and pluggy only. What is exported here is stable within one `API_VERSION`; anything else is ours to change.
"""

from pennywire.application import Application, Delivery, Gateway, NotAccepted, Refusal, Taken
from pennywire.connector import (
    CallConnector,
    CannotStore,
    Connector,
    Link,
    LinkDown,
    LinkStopped,
    OutcomeUnknown,
)
from pennywire.hooks import PROJECT, NotTaken, hookimpl, hookspec
from pennywire.jobs import JobFailed, JobKind, JobState, JobStopped, JobView, RunningJob
from pennywire.keeping import CannotKeep, KeyValues
from pennywire.pricing import NoQuote, PriceRequest, PricingRule, Quote
from pennywire.routing import Condition, RoutingSubject
from pennywire.settings import InvalidSetting, Setting, SettingType, read_settings
from pennywire.storage import Migrations, Storage
from pennywire.ui import ANYONE, LaterCommand, MenuItem, Panel, allow
from pennywire.values import (
    Accepted,
    Alphabet,
    Concatenation,
    Direction,
    Draft,
    Event,
    Incoming,
    JournalStatus,
    MessageView,
    Outcome,
    PastMessage,
    Rejected,
    Report,
    ReportState,
    SegmentView,
    Submission,
    Throttled,
)

API_VERSION = 1
"""Version of this contract. It rises when a change could break a plugin."""

OLDEST_API_VERSION = 1
"""Oldest version of this contract for which a plugin may have been written (`PENNYWIRE_API` in its module)."""

__all__ = [
    "ANYONE",
    "API_VERSION",
    "OLDEST_API_VERSION",
    "PROJECT",
    "Accepted",
    "Alphabet",
    "Application",
    "CallConnector",
    "CannotKeep",
    "CannotStore",
    "Concatenation",
    "Condition",
    "Connector",
    "Delivery",
    "Direction",
    "Draft",
    "Event",
    "Gateway",
    "Incoming",
    "InvalidSetting",
    "JobFailed",
    "JobKind",
    "JobState",
    "JobStopped",
    "JobView",
    "JournalStatus",
    "KeyValues",
    "LaterCommand",
    "Link",
    "LinkDown",
    "LinkStopped",
    "MenuItem",
    "MessageView",
    "Migrations",
    "NoQuote",
    "NotAccepted",
    "NotTaken",
    "Outcome",
    "OutcomeUnknown",
    "Panel",
    "PastMessage",
    "PriceRequest",
    "PricingRule",
    "Quote",
    "Refusal",
    "Rejected",
    "Report",
    "ReportState",
    "RoutingSubject",
    "RunningJob",
    "SegmentView",
    "Setting",
    "SettingType",
    "Storage",
    "Submission",
    "Taken",
    "Throttled",
    "allow",
    "hookimpl",
    "hookspec",
    "read_settings",
]
