"""The statements of the ledger check. Each returns `subject`, `expected` and `found` for every place that is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from app.lifecycle import FINAL, FOLDER_OF, Folder, State
from app.outbox import IN_DOUBT, QUEUED, SENDING, WAITING

SYSTEM_KINDS = ("funding", "revenue", "supplier")
"""Accounts without a limit: their balance is the sum of their rows and stands nowhere."""

Values = Mapping[str, Sequence[str | int]]


class Unit(Enum):
    """What the `subject` of a statement is."""

    ACCOUNT = auto()
    COUNTER = auto()
    CURRENCY = auto()
    TRANSFER = auto()
    MESSAGE = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """One check. `amounts` says that expected and found are microcredits. `values` are lists for `IN`."""

    kind: str
    title: str
    unit: Unit
    sql: str
    amounts: bool = False
    values: Values = field(default_factory=dict)


TOTALS: Mapping[str, str] = {
    "accounts": "SELECT COUNT(*) FROM accounts",
    "transfers": "SELECT COUNT(*) FROM transfers",
    "messages": "SELECT COUNT(*) FROM messages",
    "events": "SELECT COUNT(*) FROM events",
}

# Accounts. The unary plus keeps SQLite from walking the rows in the order of an index over accounts, which is the slow way.

_MOVED = """
SELECT account_id, SUM(balance_uc) AS balance_uc, SUM(reserved_uc) AS reserved_uc FROM (
    SELECT +debit_id AS account_id,
        -SUM(CASE WHEN kind IN ('charge', 'release') THEN 0 ELSE amount_uc END) AS balance_uc,
        SUM(CASE kind WHEN 'charge' THEN amount_uc WHEN 'settle' THEN -amount_uc - released_uc WHEN 'release' THEN -amount_uc ELSE 0 END)
            AS reserved_uc
    FROM transfers GROUP BY +debit_id
    UNION ALL
    SELECT credit_id, SUM(amount_uc), 0 FROM transfers WHERE kind NOT IN ('charge', 'settle', 'release') GROUP BY credit_id
) one_side GROUP BY account_id
"""

_BALANCES = f"""
SELECT a.name AS subject, COALESCE(m.balance_uc, 0) AS expected, a.balance_uc AS found
FROM accounts a LEFT JOIN ({_MOVED}) m ON m.account_id = a.id
WHERE (a.kind NOT IN :system AND a.balance_uc <> COALESCE(m.balance_uc, 0))
"""  # noqa: S608  # our own text

_RESERVATIONS = f"""
SELECT a.name AS subject, COALESCE(m.reserved_uc, 0) AS expected, a.reserved_uc AS found
FROM accounts a LEFT JOIN ({_MOVED}) m ON m.account_id = a.id
WHERE a.kind NOT IN :system AND a.reserved_uc <> COALESCE(m.reserved_uc, 0)
"""  # noqa: S608  # our own text

_PENDING = """
SELECT a.name AS subject, COALESCE(p.pending_uc, 0) AS expected, a.reserved_uc AS found
FROM accounts a LEFT JOIN (
    SELECT +c.debit_id AS debit_id, SUM(c.amount_uc) AS pending_uc FROM transfers c
    LEFT JOIN transfers e ON e.message_id = c.message_id AND e.level = c.level AND e.phase = 1
    WHERE c.message_id IS NOT NULL AND c.phase = 0 AND e.id IS NULL GROUP BY +c.debit_id
) p ON p.debit_id = a.id
WHERE a.kind NOT IN :system AND a.reserved_uc <> COALESCE(p.pending_uc, 0)
"""

_SYSTEM = """
SELECT name AS subject, 0 AS expected, CASE balance_uc WHEN 0 THEN reserved_uc ELSE balance_uc END AS found FROM accounts
WHERE kind IN :system AND (balance_uc <> 0 OR reserved_uc <> 0)
"""

_ZERO_SUM = """
SELECT currency AS subject, 0 AS expected, SUM(balance_uc) AS found FROM (
    SELECT currency, SUM(balance_uc) AS balance_uc FROM accounts GROUP BY currency
    UNION ALL
    SELECT a.currency, -SUM(t.amount_uc) FROM transfers t JOIN accounts a ON a.id = t.debit_id
    WHERE a.kind IN :system AND t.kind NOT IN ('charge', 'release') GROUP BY a.currency
    UNION ALL
    SELECT a.currency, SUM(t.amount_uc) FROM transfers t JOIN accounts a ON a.id = t.credit_id
    WHERE a.kind IN :system AND t.kind NOT IN ('charge', 'release') GROUP BY a.currency
) sides GROUP BY currency HAVING SUM(balance_uc) <> 0
"""

# Transfers by themselves.

_PARTIES = """
SELECT t.id AS subject, 'two accounts of one currency' AS expected,
    COALESCE(d.name || ' (' || d.currency || ')', 'nobody') || ' to ' || COALESCE(c.name || ' (' || c.currency || ')', 'nobody') AS found
FROM transfers t LEFT JOIN accounts d ON d.id = t.debit_id LEFT JOIN accounts c ON c.id = t.credit_id
WHERE d.id IS NULL OR c.id IS NULL OR d.currency <> c.currency OR d.id = c.id
"""

_SHAPES = """
SELECT id AS subject, 'a kind, with its phase' AS expected, kind || ', phase ' || COALESCE(CAST(phase AS VARCHAR(8)), 'none') AS found
FROM transfers WHERE NOT CASE kind
    WHEN 'charge' THEN message_id IS NOT NULL AND COALESCE(phase, -1) = 0 AND released_uc = 0
    WHEN 'settle' THEN message_id IS NOT NULL AND COALESCE(phase, -1) = 1
    WHEN 'release' THEN message_id IS NOT NULL AND COALESCE(phase, -1) = 1 AND released_uc = 0
    WHEN 'pay' THEN message_id IS NOT NULL AND COALESCE(phase, -1) = 1 AND released_uc = 0 AND level = 0
    WHEN 'refund' THEN message_id IS NOT NULL AND COALESCE(phase, -1) = 2 AND released_uc = 0
    WHEN 'top_up' THEN message_id IS NULL AND phase IS NULL AND released_uc = 0 AND level = 0
    WHEN 'correct' THEN message_id IS NULL AND phase IS NULL AND released_uc = 0 AND level = 0
    WHEN 'allot' THEN message_id IS NULL AND phase IS NULL AND released_uc = 0 AND level = 0
    ELSE 1 = 0 END
"""

_WHOSE = """
SELECT t.id AS subject, CASE WHEN t.kind IN ('refund', 'pay') THEN 'revenue to ' || u.name ELSE u.name || ' to revenue' END AS expected,
    d.name || ' to ' || c.name AS found
FROM transfers t JOIN messages m ON m.id = t.message_id JOIN accounts u ON u.user_id = m.user_id
JOIN accounts d ON d.id = t.debit_id JOIN accounts c ON c.id = t.credit_id
WHERE t.level = 0
AND CASE WHEN t.kind IN ('refund', 'pay') THEN d.kind <> 'revenue' OR c.id <> u.id ELSE d.id <> u.id OR c.kind <> 'revenue' END
"""

_ALLOTMENTS = """
SELECT t.id AS subject, 'from a user to a user' AS expected, d.kind || ' to ' || c.kind AS found
FROM transfers t JOIN accounts d ON d.id = t.debit_id JOIN accounts c ON c.id = t.credit_id
WHERE t.kind = 'allot' AND (d.kind <> 'user' OR c.kind <> 'user')
"""

# Accounts above those of the messages' users: which of them pay is frozen with the charge.

_ABOVE = """
SELECT t.id AS subject, 'revenue and the account above that was charged' AS expected, d.name || ' to ' || c.name AS found
FROM transfers t JOIN accounts d ON d.id = t.debit_id JOIN accounts c ON c.id = t.credit_id
LEFT JOIN transfers o ON o.message_id = t.message_id AND o.level = t.level AND o.phase = 0
WHERE t.level > 0 AND (o.id IS NULL OR CASE WHEN t.kind = 'refund'
    THEN d.kind <> 'revenue' OR c.kind <> 'user' OR c.id <> o.debit_id
    ELSE d.kind <> 'user' OR c.kind <> 'revenue' OR d.id <> o.debit_id END)
"""

_LEVELS = """
SELECT m.id AS subject, m.level_count || ' accounts above' AS expected,
    COALESCE(l.row_count, 0) || ' rows, the highest of level ' || COALESCE(l.highest, 0) AS found
FROM messages m LEFT JOIN (
    SELECT message_id, COUNT(*) AS row_count, MAX(level) AS highest FROM transfers WHERE level > 0 AND phase = 0 GROUP BY message_id
) l ON l.message_id = m.id
WHERE m.level_count <> COALESCE(l.row_count, 0) OR m.level_count <> COALESCE(l.highest, 0)
"""

_LINES = """
WITH RECURSIVE line(account_id, above_id, depth) AS (
    SELECT id, parent_id, 1 FROM accounts WHERE parent_id IS NOT NULL
    UNION ALL
    SELECT line.account_id, a.parent_id, line.depth + 1 FROM line JOIN accounts a ON a.id = line.above_id
    WHERE a.parent_id IS NOT NULL AND line.depth <= 5
)
SELECT a.name AS subject, 'at most 5 accounts above' AS expected, 'more than 5, or itself' AS found
FROM accounts a JOIN line ON line.account_id = a.id WHERE line.depth = 6
"""

# Counters of period limits. Of each kind of period the newest are enough: an old one has nothing to refuse any more.

_NEWEST = """
SELECT account_id, user_id, name, period, started_at, ends_at, segment_count, amount_uc FROM (
    SELECT u.*, a.user_id, a.name, ROW_NUMBER() OVER (PARTITION BY u.account_id, u.period ORDER BY u.started_at DESC) AS place
    FROM account_usage u JOIN accounts a ON a.id = u.account_id
) placed WHERE place <= 40
"""

_LIMITED = """
SELECT a.name AS subject, CASE WHEN l.account_id IS NULL THEN 'no limits' ELSE 'limits' END AS expected,
    CASE WHEN a.limited THEN 'limits' ELSE 'no limits' END AS found
FROM accounts a LEFT JOIN (SELECT DISTINCT account_id FROM account_limits) l ON l.account_id = a.id
WHERE a.limited <> (l.account_id IS NOT NULL)
"""

_COUNTED_SEGMENTS = f"""
SELECT n.name || ', ' || n.period AS subject, COALESCE(SUM(p.counted_count), 0) AS expected, n.segment_count AS found
FROM ({_NEWEST}) n LEFT JOIN (
    SELECT a.id AS account_id, m.created_at AS accepted_at, m.counted_count FROM messages m JOIN accounts a ON a.user_id = m.user_id
    WHERE m.counted_count > 0 AND m.direction = 'outbound' AND a.id IN (SELECT account_id FROM account_usage)
    UNION ALL
    SELECT t.debit_id, m.created_at, m.counted_count FROM transfers t JOIN messages m ON m.id = t.message_id
    WHERE t.level > 0 AND t.phase = 0 AND t.debit_id IN (SELECT account_id FROM account_usage)
) p ON p.account_id = n.account_id AND p.accepted_at >= n.started_at AND (n.ends_at IS NULL OR p.accepted_at < n.ends_at)
GROUP BY n.account_id, n.name, n.period, n.started_at, n.segment_count HAVING COALESCE(SUM(p.counted_count), 0) <> n.segment_count
"""  # noqa: S608  # our own text

_COUNTED_CREDITS = f"""
SELECT n.name || ', ' || n.period AS subject, COALESCE(SUM(p.spent_uc), 0) AS expected, n.amount_uc AS found
FROM ({_NEWEST}) n LEFT JOIN (
    SELECT t.debit_id AS account_id, CASE m.direction WHEN 'outbound' THEN m.created_at ELSE t.at END AS accepted_at,
        t.amount_uc - CASE e.kind WHEN 'release' THEN e.amount_uc ELSE COALESCE(e.released_uc, 0) END - COALESCE(r.amount_uc, 0) AS spent_uc
    FROM transfers t JOIN messages m ON m.id = t.message_id
    LEFT JOIN transfers e ON e.message_id = t.message_id AND e.level = t.level AND e.phase = 1
    LEFT JOIN transfers r ON r.message_id = t.message_id AND r.level = t.level AND r.phase = 2
    WHERE t.kind = 'charge' AND t.debit_id IN (SELECT account_id FROM account_usage)
) p ON p.account_id = n.account_id AND p.accepted_at >= n.started_at AND (n.ends_at IS NULL OR p.accepted_at < n.ends_at)
GROUP BY n.account_id, n.name, n.period, n.started_at, n.amount_uc HAVING COALESCE(SUM(p.spent_uc), 0) <> n.amount_uc
"""  # noqa: S608  # our own text

# Messages and their money.

_REPEATED = """
SELECT message_id AS subject, 1 AS expected, COUNT(*) AS found FROM transfers
WHERE message_id IS NOT NULL GROUP BY message_id, level, phase HAVING COUNT(*) > 1
"""

_UNCHARGED = """
SELECT m.id AS subject, m.price_uc AS expected, NULL AS found
FROM messages m LEFT JOIN transfers t ON t.message_id = m.id AND t.level = 0 AND t.phase = CASE WHEN m.price_uc < 0 THEN 1 ELSE 0 END
WHERE m.charged AND t.id IS NULL
"""

_UNOWED = """
SELECT t.message_id AS subject, NULL AS expected, t.amount_uc AS found
FROM transfers t LEFT JOIN messages m ON m.id = t.message_id
WHERE t.message_id IS NOT NULL AND (m.id IS NULL OR (t.level = 0 AND NOT m.charged))
"""

_PRICES = """
SELECT m.id AS subject, m.price_uc AS expected, CASE t.kind WHEN 'pay' THEN -t.amount_uc ELSE t.amount_uc END AS found
FROM transfers t JOIN messages m ON m.id = t.message_id
WHERE t.kind IN ('charge', 'pay') AND t.level = 0 AND m.price_uc <> CASE t.kind WHEN 'pay' THEN -t.amount_uc ELSE t.amount_uc END
"""

_ENDINGS = """
SELECT e.message_id AS subject, c.amount_uc AS expected, e.amount_uc + e.released_uc AS found
FROM transfers e LEFT JOIN transfers c ON c.message_id = e.message_id AND c.level = e.level AND c.phase = 0
WHERE e.message_id IS NOT NULL AND e.phase = 1 AND e.kind <> 'pay' AND (c.id IS NULL OR c.amount_uc <> e.amount_uc + e.released_uc)
"""

_REFUNDS = """
SELECT r.message_id AS subject, COALESCE(e.amount_uc, 0) AS expected, r.amount_uc AS found
FROM transfers r LEFT JOIN transfers e ON e.message_id = r.message_id AND e.level = r.level AND e.phase = 1 AND e.kind = 'settle'
WHERE r.message_id IS NOT NULL AND r.phase = 2 AND r.amount_uc > COALESCE(e.amount_uc, 0)
"""

_DECIDED = """
SELECT m.id AS subject,
    CASE WHEN d.due = 1 THEN 'ended, since the message is ' || m.state ELSE 'pending, since the message is ' || m.state END AS expected,
    COALESCE(e.ended_count, 0) || ' of ' || d.charge_count || ' charges ended' AS found
FROM (
    SELECT id, CASE WHEN charged THEN 1 ELSE 0 END + level_count AS charge_count,
        CASE WHEN state IN :final OR (state = 'sent' AND (terms LIKE 'n%' OR report_missing)) THEN 1 ELSE 0 END AS due
    FROM messages WHERE (charged OR level_count > 0) AND direction = 'outbound'
) d JOIN messages m ON m.id = d.id LEFT JOIN (
    SELECT message_id, COUNT(*) AS ended_count FROM transfers WHERE message_id IS NOT NULL AND phase = 1 GROUP BY message_id
) e ON e.message_id = m.id
WHERE (d.due = 1 AND COALESCE(e.ended_count, 0) <> d.charge_count) OR (d.due = 0 AND e.message_id IS NOT NULL)
"""

_TERMS = """
SELECT m.id AS subject,
    CASE WHEN m.terms LIKE 'hr%' AND m.state = 'undeliverable' THEN 'release'
        WHEN m.terms LIKE 'nr%' AND m.state = 'undeliverable' THEN 'settle and refund'
        WHEN m.state = 'sent' THEN 'settle and refund' ELSE 'settle' END AS expected,
    e.kind || CASE WHEN r.id IS NULL THEN '' ELSE ' and refund' END AS found
FROM messages m JOIN transfers e ON e.message_id = m.id AND e.level = 0 AND e.phase = 1
LEFT JOIN transfers r ON r.message_id = m.id AND r.level = 0 AND r.phase = 2
WHERE m.charged AND m.direction = 'outbound' AND (
    (m.state = 'delivered' AND e.kind <> 'settle' AND NOT (m.terms LIKE 'h%' AND m.report_missing))
    OR (m.state = 'undeliverable' AND NOT m.report_missing AND CASE
        WHEN m.terms LIKE 'nr%' THEN r.id IS NULL WHEN m.terms LIKE 'hr%' THEN e.kind <> 'release' ELSE e.kind <> 'settle' END)
    OR (m.state = 'sent' AND m.report_missing AND m.terms LIKE 'n__r%' AND r.id IS NULL)
)
"""

_SEGMENT_PRICES = """
SELECT m.id AS subject, m.price_uc / m.segment_count AS expected, e.amount_uc AS found
FROM transfers e JOIN messages m ON m.id = e.message_id
WHERE e.kind = 'settle' AND e.level = 0 AND m.segment_count > 0 AND m.price_uc >= m.segment_count
AND e.amount_uc % (m.price_uc / m.segment_count) <> 0
"""

# Messages, their queue and their journal.

_ROWS = f"""
SELECT message_id, COUNT(*) AS row_count,
    SUM(CASE state WHEN {QUEUED} THEN 1 ELSE 0 END) AS queued, SUM(CASE state WHEN {SENDING} THEN 1 ELSE 0 END) AS sending,
    SUM(CASE state WHEN {IN_DOUBT} THEN 1 ELSE 0 END) AS doubtful, SUM(CASE state WHEN {WAITING} THEN 1 ELSE 0 END) AS waiting
FROM outbox GROUP BY message_id
"""  # noqa: S608  # our own text

_QUEUE = f"""
SELECT m.id AS subject, CASE WHEN m.state IN :open THEN 'in the queue, as ' || m.state ELSE 'not in the queue, being ' || m.state END
    AS expected,
    CASE WHEN o.row_count IS NULL THEN 'no row' ELSE o.queued || ' queued, ' || o.sending || ' sending, ' || o.doubtful ||
    ' in doubt, ' || o.waiting || ' waiting' END AS found
FROM messages m LEFT JOIN ({_ROWS}) o ON o.message_id = m.id
WHERE m.direction = 'outbound' AND CASE m.state
    WHEN 'scheduled' THEN COALESCE(o.waiting, 0) = 0 OR o.waiting <> o.row_count
    WHEN 'queued' THEN o.row_count IS NULL OR o.sending > 0 OR o.doubtful > 0
    WHEN 'sending' THEN o.row_count IS NULL OR o.doubtful = o.row_count
    WHEN 'in_doubt' THEN o.row_count IS NULL OR o.doubtful <> o.row_count
    WHEN 'held' THEN o.row_count IS NULL
    ELSE o.row_count IS NOT NULL END
"""  # noqa: S608  # our own text

_STRAY_ROWS = """
SELECT DISTINCT o.message_id AS subject, 'an outgoing message' AS expected, COALESCE(m.direction, 'nothing') AS found
FROM outbox o LEFT JOIN messages m ON m.id = o.message_id WHERE m.id IS NULL OR m.direction <> 'outbound'
"""

_SEGMENTS = """
SELECT m.id AS subject, CASE m.direction WHEN 'outbound' THEN m.segment_count ELSE 0 END AS expected,
    COALESCE(s.answered, 0) + COALESCE(o.waiting, 0) AS found
FROM messages m
LEFT JOIN (SELECT message_id, COUNT(*) AS answered FROM segments GROUP BY message_id) s ON s.message_id = m.id
LEFT JOIN (SELECT message_id, COUNT(*) AS waiting FROM outbox GROUP BY message_id) o ON o.message_id = m.id
WHERE COALESCE(s.answered, 0) + COALESCE(o.waiting, 0) <> CASE m.direction WHEN 'outbound' THEN m.segment_count ELSE 0 END
"""

_BOUGHT = """
SELECT m.id AS subject, CASE WHEN s.priced = s.answered THEN s.total_uc END AS expected, m.buy_uc AS found
FROM messages m JOIN (
    SELECT message_id, COUNT(*) AS answered, COUNT(buy_uc) AS priced, SUM(buy_uc) AS total_uc FROM segments GROUP BY message_id
) s ON s.message_id = m.id
WHERE s.answered = m.segment_count
AND CASE WHEN s.priced = s.answered THEN m.buy_uc IS NULL OR m.buy_uc <> s.total_uc ELSE m.buy_uc IS NOT NULL END
"""

_VERSIONS = """
SELECT m.id AS subject, m.version || ' events, numbered 1 to ' || m.version AS expected,
    COALESCE(e.event_count || ' events, numbered ' || e.first || ' to ' || e.last, 'no event') AS found
FROM messages m LEFT JOIN (
    SELECT message_id, COUNT(*) AS event_count, MIN(version) AS first, MAX(version) AS last
    FROM events WHERE message_id IS NOT NULL GROUP BY message_id
) e ON e.message_id = m.id
WHERE e.message_id IS NULL OR e.first <> 1 OR e.last <> m.version OR e.event_count <> m.version
"""

_STRAY_EVENTS = """
SELECT DISTINCT e.message_id AS subject, 'a message' AS expected, 'nothing' AS found
FROM events e LEFT JOIN messages m ON m.id = e.message_id WHERE e.message_id IS NOT NULL AND m.id IS NULL
"""

_FOLDERS = f"""
SELECT id AS subject, 'the folder of ' || state AS expected, 'folder ' || folder AS found FROM messages
WHERE folder <> {Folder.DELETED} AND folder <> CASE WHEN direction = 'inbound' THEN {Folder.INBOX}
    {" ".join(f"WHEN state = '{state}' THEN {folder}" for state, folder in FOLDER_OF.items())} ELSE -1 END
"""  # noqa: S608  # our own text

_HELD = """
SELECT m.id AS subject, m.price_uc AS expected, h.price_uc AS found FROM messages m JOIN accounts a ON a.user_id = m.user_id
LEFT JOIN held_messages h ON h.message_id = m.id AND h.account_id = a.id
WHERE m.direction = 'inbound' AND m.state = 'held' AND (h.message_id IS NULL OR h.price_uc <> m.price_uc)
"""

_ALL_SYSTEM: Values = {"system": SYSTEM_KINDS}
_FINAL: Values = {"final": sorted(FINAL)}
_OPEN: Values = {"open": sorted(set(State) - FINAL - {State.SENT})}

STATEMENTS: tuple[Statement, ...] = (
    Statement("balance", "Balances are the sums of their transfers", Unit.ACCOUNT, _BALANCES, amounts=True, values=_ALL_SYSTEM),
    Statement("reserved", "Reservations are the sums of their transfers", Unit.ACCOUNT, _RESERVATIONS, amounts=True, values=_ALL_SYSTEM),
    Statement("pending", "Reservations are the charges that have not ended", Unit.ACCOUNT, _PENDING, amounts=True, values=_ALL_SYSTEM),
    Statement("system", "Accounts without a limit keep no balance", Unit.ACCOUNT, _SYSTEM, amounts=True, values=_ALL_SYSTEM),
    Statement("zero_sum", "All accounts of a currency sum to zero", Unit.CURRENCY, _ZERO_SUM, amounts=True, values=_ALL_SYSTEM),
    Statement("parties", "A transfer is between two accounts of one currency", Unit.TRANSFER, _PARTIES),
    Statement("shape", "A transfer has the phase of its kind", Unit.TRANSFER, _SHAPES),
    Statement("owner", "A message is paid by its user", Unit.TRANSFER, _WHOSE),
    Statement("allotment", "Credit is allotted by a user's account to another", Unit.TRANSFER, _ALLOTMENTS),
    Statement("line", "No account stands above itself, and none has more than 5 above", Unit.ACCOUNT, _LINES),
    Statement("above", "What an account above paid ends on that account", Unit.TRANSFER, _ABOVE),
    Statement("levels", "Every account above that pays has its charge", Unit.MESSAGE, _LEVELS),
    Statement("limited", "An account is marked where it has limits", Unit.ACCOUNT, _LIMITED),
    Statement("counted_segments", "Limits count the segments that were accepted", Unit.COUNTER, _COUNTED_SEGMENTS),
    Statement("counted_credits", "Limits count the credits that were charged", Unit.COUNTER, _COUNTED_CREDITS, amounts=True),
    Statement("repeated", "A message is charged, ended and refunded at most once", Unit.MESSAGE, _REPEATED),
    Statement("uncharged", "What is marked as charged has its charge", Unit.MESSAGE, _UNCHARGED, amounts=True),
    Statement("unowed", "What is not marked as charged has none", Unit.MESSAGE, _UNOWED, amounts=True),
    Statement("price", "A charge is the price of its message", Unit.MESSAGE, _PRICES, amounts=True),
    Statement("ending", "What ends a charge is as large as the charge", Unit.MESSAGE, _ENDINGS, amounts=True),
    Statement("refund", "A refund is not more than what was settled", Unit.MESSAGE, _REFUNDS, amounts=True),
    Statement("decided", "The charge of a message ends when the message does", Unit.MESSAGE, _DECIDED, values=_FINAL),
    Statement("terms", "The charge ended as the route's terms say", Unit.MESSAGE, _TERMS),
    Statement("segment_price", "Whole segments are settled", Unit.MESSAGE, _SEGMENT_PRICES, amounts=True),
    Statement("queue", "The queue holds what waits, and nothing else", Unit.MESSAGE, _QUEUE, values=_OPEN),
    Statement("stray_queue", "What is queued belongs to a message", Unit.MESSAGE, _STRAY_ROWS),
    Statement("held", "What is held for want of credit waits with its price", Unit.MESSAGE, _HELD, amounts=True),
    Statement("segments", "Every segment is answered or waits", Unit.MESSAGE, _SEGMENTS),
    Statement("bought", "A message cost us what its segments did", Unit.MESSAGE, _BOUGHT, amounts=True),
    Statement("version", "The journal of a message has no gap", Unit.MESSAGE, _VERSIONS),
    Statement("stray_event", "What is in the journal belongs to a message", Unit.MESSAGE, _STRAY_EVENTS),
    Statement("folder", "A message is in the folder of its state", Unit.MESSAGE, _FOLDERS),
)
