"""Ten texts that want to be more than text, and how they get into a gateway: by every field that comes from outside."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy.orm import Session

from app import administration, inbound, outbox, outcomes, reports
from app.decisions import Request
from app.identifiers import internal_id
from app.messages import Admitted
from app.models import ParkedReport
from app.outcomes import AttemptOutcome
from pennywire import Accepted, Draft, Incoming, Rejected, Report, ReportState

TEXTS = (
    "{{7777*7777}} ${7777*7777} {% for x in y %}",
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example";"x")',
    "one\r\nSet-Cookie: stolen=1\r\n\r\ntwo",
    "user\u202egnp.exe\u2066 \u200f",
    "nul\x00nul",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 40,
    "\u202e\u202e<b>mirrored</b>",
    "\"'><svg/onload=alert(1)>'\"--",
    "../../..%252f..%252fetc/passwd\\..\\",
)
"""Template, script, formula, CRLF, bidirectional controls, NUL, a huge emoji, right-to-left override with markup, quotes, path."""


def plant(core: Any, intake: Any, connection: Any, customer: str) -> SimpleNamespace:
    """Bring every text in by every field that takes it, and return the public ids of the messages that were sent."""
    now, by = core.clock(), {"now": core.clock(), "actor": "root"}
    sent = [_sent(core, intake, customer, text) for text in TEXTS if "\x00" not in text]
    with core.database.write() as session:
        claimed = outbox.claim(session, connection, token=1, room=500, ids=core.ids, now=now).submissions
    snapshot = core.snapshots.present()
    results = []
    for index, item in enumerate(claimed):
        text = TEXTS[index % len(TEXTS)]
        answer = Rejected(text[:30], text) if index % 3 == 0 else Accepted(f"{index} {text}"[:60])
        results.append(AttemptOutcome(item.attempt_id, internal_id(item.message_id), item.segment_index, connection.id, answer))
    with core.database.write() as session:
        outcomes.record_outcomes(session, snapshot, results, now=now)
    with core.database.write() as session:
        news = [
            (connection, Report((row.result.network_id,), ReportState.UNDELIVERABLE, text[:30], now, text))
            for row, text in zip(results, TEXTS * 20, strict=False)
            if isinstance(row.result, Accepted)
        ]
        reports.apply_reports(session, snapshot, news, now=now)
    for text in TEXTS:
        with core.database.write() as session:
            incoming = [(connection, Incoming(text[:21], "+36209000100", text=text, raw=text, parameters={"note": text}))]
            inbound.receive(session, snapshot, incoming, ids=core.ids, now=now)
    core.database.run(lambda session: _settings(session, customer, connection, by))
    core.snapshots.reload()
    return SimpleNamespace(sent=sent)


def _sent(core: Any, intake: Any, customer: str, text: str) -> str:
    draft = Draft("+36201234567", text[:300], client_reference="".join(filter(str.isprintable, text))[:60])
    (result,) = intake.submit(Request(core.snapshots.reload().users[customer], (draft,), "rest")).results
    assert isinstance(result, Admitted), result
    return result.public_id


def _settings(session: Session, customer: str, connection: Any, by: Any) -> None:
    user_id = administration.find_user(session, customer).id
    for index, text in enumerate(TEXTS):
        clean = text.replace("\x00", "")
        printable = "".join(filter(str.isprintable, text))
        administration.add_key(session, customer, clean[:60], **by)
        administration.top_up(session, customer, 1_000_000, reason=printable[:200], reference=printable[:90], **by)
        administration.begin_session(session, user_id, now=by["now"], address=clean, device=text)
        administration.audit(
            session, **by, verb="set", subject=f"user {customer}", before={clean: clean}, after={clean: [clean, {"x": clean}]}
        )
        parked = ParkedReport(provider=connection.provider, report_id=f"x{index}", network_id=f"x{index}", network_ids=[f"x{index}"])
        parked.connection_id, parked.state, parked.raw, parked.received_at = connection.id, "delivered", clean, by["now"]
        session.add(parked)
