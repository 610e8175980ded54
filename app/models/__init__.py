"""The tables. Plain declarative SQLAlchemy: the engine process uses them without Flask.

Hot tables (messages, segments, outbox, transfers, events) carry no foreign keys: the pipe writes them in one transaction, the
ledger check proves them, and a look-up for each row would cost more than it tells. Settings tables have them.
"""

from app.models.applications import ApplicationLog, ApplicationRow, ApplicationStatus, DeliveryRow
from app.models.base import Base, table
from app.models.counting import QuarterSums
from app.models.jobs import Job, JobFile
from app.models.margins import MarginSums
from app.models.money import Account, AccountLimit, AccountUsage, Transfer
from app.models.running import Duty, EngineRow, JournalCursor, JournalEvent
from app.models.settings import (
    ApiKey,
    AuditEntry,
    Configuration,
    ConnectionLog,
    ConnectionQuality,
    ConnectionStatus,
    OneTimeLink,
    Option,
    PluginRow,
    PluginSettings,
    PluginValue,
    PricingRow,
    Route,
    ServiceConnection,
    Throttle,
    User,
)
from app.models.signing_in import BrowserSession, RecoveryCode, SecondFactor
from app.models.statements import ClosedStatement
from app.models.traffic import ConcatReference, HeldMessage, IdempotencyKey, IncomingSegment, Message, OutboxRow, ParkedReport, Segment
from app.models.watching import AccountWatch, LedgerCheck, MovementKey, Notice, NoticeDelivery, Proposal, Suspension

__all__ = [
    "Account",
    "AccountLimit",
    "AccountUsage",
    "AccountWatch",
    "ApiKey",
    "ApplicationLog",
    "ApplicationRow",
    "ApplicationStatus",
    "AuditEntry",
    "Base",
    "BrowserSession",
    "ClosedStatement",
    "ConcatReference",
    "Configuration",
    "ConnectionLog",
    "ConnectionQuality",
    "ConnectionStatus",
    "DeliveryRow",
    "Duty",
    "EngineRow",
    "HeldMessage",
    "IdempotencyKey",
    "IncomingSegment",
    "Job",
    "JobFile",
    "JournalCursor",
    "JournalEvent",
    "LedgerCheck",
    "MarginSums",
    "Message",
    "MovementKey",
    "Notice",
    "NoticeDelivery",
    "OneTimeLink",
    "Option",
    "OutboxRow",
    "ParkedReport",
    "PluginRow",
    "PluginSettings",
    "PluginValue",
    "PricingRow",
    "Proposal",
    "QuarterSums",
    "RecoveryCode",
    "Route",
    "SecondFactor",
    "Segment",
    "ServiceConnection",
    "Suspension",
    "Throttle",
    "Transfer",
    "User",
    "table",
]
