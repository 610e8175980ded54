"""Pages of approvals, warnings, suspension, mail, and what is shown of notices."""

from collections.abc import Callable
from typing import Any

import pytest

from app import administration, nightly, notices, verify, watching
from app.administration import Warnings
from app.ledger import MICRO
from app.notices import NoticeKind

Site = Any
PostOffice = Any
Read = Callable[[Any], str]


@pytest.fixture
def staffed(site: Site) -> Site:
    """A customer with 20 credits, two administrators; more than 100 credits take both."""
    site.user("anna", credit="20")
    site.user("ruth", role="administrator")
    site.do(lambda session: administration.set_gateway_options(session, {"second_person_above": "100"}, **site.by))
    return site


def top_up(site: Site, amount: str, **more: str) -> Any:
    data = {"amount": amount, "reason": "Invoice 7", "reference": "", **more}
    return site.client().post("/users/anna/credits/top-up", data=data, follow_redirects=True)


def test_large_top_up_waits_on_the_page_until_another_administrator_approves(staffed: Site, read: Read) -> None:
    said = read(top_up(staffed, "500"))
    own = read(staffed.client().get("/system/approvals"))
    other = staffed.client("ruth").get("/users/anna/credits/approvals")
    refused = read(staffed.client().post("/system/approvals/1", data={"decision": "approve"}, follow_redirects=True))
    done = staffed.client("ruth").post(
        "/system/approvals/1", data={"decision": "approve", "reason": "paid", "back": "anna"}, follow_redirects=True
    )

    assert "waits for a second person" in said
    assert "Waits for another administrator" in own
    assert 'value="approve"' in other.text
    assert "cannot decide about it" in refused
    assert "Moved 500 credits." in read(done)
    assert (done.request.path, "approved" in read(done)) == ("/users/anna/credits/approvals", True)
    assert staffed.account("anna").balance_uc == 520 * MICRO


@pytest.mark.full
def test_rejection_needs_a_reason_and_moves_nothing(staffed: Site, read: Read) -> None:
    top_up(staffed, "500")
    browser = staffed.client("ruth")

    silent = read(browser.post("/system/approvals/1", data={"decision": "reject"}, follow_redirects=True))
    said = read(browser.post("/system/approvals/1", data={"decision": "reject", "reason": "Not paid"}, follow_redirects=True))
    gone = read(browser.post("/system/approvals/9", data={"decision": "approve"}, follow_redirects=True))

    assert "Say why it is rejected" in silent
    assert "nothing has moved" in said
    assert "There is no proposal number 9" in gone
    assert staffed.account("anna").balance_uc == 20 * MICRO


@pytest.mark.full
def test_form_that_is_sent_twice_moves_once(staffed: Site, read: Read) -> None:
    first, second = (read(top_up(staffed, "5", key="form-1")) for _ in range(2))

    assert "topped up by 5" in first
    assert "topped up by 5" in second
    assert staffed.account("anna").balance_uc == 25 * MICRO


def test_warnings_are_kept_as_they_were_typed_where_one_is_wrong(staffed: Site, read: Read) -> None:
    browser = staffed.client()
    wrong = {"thresholds": "20, lots", "email": "anna", "callback_url": "", "suspend_below": "", "release_above": "5"}

    refused = browser.post("/users/anna/credits/warnings", data=wrong)
    right = wrong | {"thresholds": "20, 5.5", "email": "anna@example.com", "suspend_below": "1"}
    kept = browser.post("/users/anna/credits/warnings", data=right, follow_redirects=True)

    assert refused.status_code == 422
    assert ("20, lots" in refused.text, "is not an amount" in read(refused)) == (True, True)
    assert 'value="20, 5.5"' in kept.text
    with staffed.core.database.read() as session:
        stored = administration.warnings_of(session, "anna")
    assert stored == Warnings((20 * MICRO, 5_500_000), "anna@example.com", "", MICRO, 5 * MICRO)


def test_customer_reads_his_warnings_and_sees_the_notice_on_his_pages(staffed: Site, read: Read) -> None:
    staffed.do(lambda session: administration.set_warnings(session, "anna", Warnings((50 * MICRO,), "a@example.com"), **staffed.by))
    staffed.do(lambda session: watching.act(session, watching.crossed(session), now=staffed.moment))
    browser = staffed.client("anna")
    pages = ("/", "/users/anna/credits", "/users/anna/credits/warnings")

    shown = ["has fallen below 50: 20 are left" in read(browser.get(page)) for page in pages]
    staff = [read(staffed.client().get(page)) for page in ("/", "/users/anna/credits")]
    staffed.user("other", credit="1")

    assert shown == [True] * 3
    assert all("has fallen below 50" in page for page in staff)
    assert "disabled" in browser.get("/users/anna/credits/warnings").text
    assert "has fallen below" not in read(staffed.client("other").get("/"))


@pytest.mark.full
def test_account_is_suspended_and_released_on_its_page(staffed: Site, read: Read) -> None:
    browser = staffed.client()
    missing = browser.post("/users/anna/credits/suspension", data={"act": "suspend", "reason": " "})
    browser.post("/users/anna/credits/suspension", data={"act": "suspend", "reason": "Unpaid invoices"})
    shown = [read(staffed.client(name).get("/users/anna/credits/warnings")) for name in ("root", "anna")]
    suspended = staffed.core.snapshots.reload().users["anna"].suspended
    browser.post("/users/anna/credits/suspension", data={"act": "release", "reason": "Paid"})

    assert missing.status_code == 422
    assert all("Suspended: Unpaid invoices." in page for page in shown)
    assert (suspended, staffed.core.snapshots.reload().users["anna"].suspended) == ("Unpaid invoices.", "")


def test_suspended_customer_is_refused_by_code_on_the_page(busy: Site, read: Read) -> None:
    busy.do(lambda session: administration.suspend_account(session, "anna", reason="Unpaid", **busy.by))

    said = read(busy.client("anna").post("/compose", data={"destination": "+36201234567", "text": "Hi"}))

    assert "The account of anna is suspended: Unpaid." in said


def test_mail_settings_are_kept_and_tried_and_show_what_the_server_says(
    staffed: Site, post_office: Callable[..., PostOffice], read: Read
) -> None:
    office = post_office()
    browser = staffed.client()
    values = {"mail_host": "localhost", "mail_port": str(office.port), "mail_tls": "none", "mail_from": "gateway@example.com"}
    saved = browser.post("/system/mail", data=values | {"mail_password": "not for eyes", "operator_address": "ops@example.com"})
    browser.post("/system/mail", data=values | {"mail_password": "••••••••", "operator_address": "ops@example.com"})
    page = browser.get("/system/mail")
    good = read(browser.post("/system/mail/test", data={"address": "anna@example.com"}))
    office.answer = "451 4.7.1 Come back later"
    bad = read(browser.post("/system/mail/test", data={"address": "anna@example.com"}))
    wrong = browser.post("/system/mail/test", data={"address": "nobody"})

    assert saved.status_code == 303
    assert ("not for eyes" in page.text, 'value="ops@example.com"' in page.text) == (False, True)
    options = staffed.core.snapshots.reload().options
    assert administration.mail_server(options, staffed.core.vault).password == "not for eyes"
    assert options["mail_password"].startswith("enc:")
    assert "The server took the mail to anna@example.com: 250 2.0.0 Ok: queued as 4711" in good
    assert "The server refused the mail: 451 4.7.1 Come back later" in bad
    assert (wrong.status_code, office.recipients) == (422, ["anna@example.com"])


@pytest.mark.full
def test_settings_of_the_gateway_refuse_each_field_by_itself(site: Site, read: Read) -> None:
    wrong = {"country_code": "0", "second_person_above": "many", "callback_hosts": "a/b", "ledger_check_hour": "24", "time_zone": "Mars"}
    page = site.client().post("/system/settings", data=wrong)

    assert page.status_code == 422
    for text in (
        "A calling code has",
        "is not an amount",
        "is not the name of a host",
        "Write an hour from 0 to 23",
        "no time zone 'Mars'",
    ):
        assert text in read(page)
    assert 'value="many"' in page.text


def test_nightly_checks_stand_on_the_ledger_page_and_a_fault_on_the_dashboard(site: Site, read: Read) -> None:
    with site.core.database.read() as session:
        result = verify.verify(session)
    finding = verify.Finding("balance", "account user:1", "5", "6")
    wrong = verify.Verification((finding,), {"balance": 1}, result.totals, {"balance": "Balance"})

    def check(found: verify.Verification) -> None:
        def work(session: Any) -> None:
            row = nightly.LedgerCheck(started_at=site.moment, totals={}, counts={}, findings=[])
            session.add(row)
            session.flush()
            nightly.finish(session, row.id, found, now=site.moment)

        site.do(work)

    check(result)
    good = read(site.client().get("/system/ledger-check"))
    check(wrong)
    bad, home = (read(site.client().get(page)) for page in ("/system/ledger-check", "/"))

    assert ("Nightly checks" in good, "differs" in good) == (True, False)
    assert "account user:1: 5 from the rows, 6 stored" in bad
    assert "The nightly check of the ledger found what does not match. Balance: 1." in home


@pytest.mark.full
def test_state_of_each_way_is_shown(staffed: Site, read: Read) -> None:
    account_id = staffed.account("anna").id

    def work(session: Any) -> None:
        values = {"now": staffed.moment, "account_id": account_id, "email": "a@example.com", "callback_url": "https://example.com/x"}
        notices.raise_notice(session, NoticeKind.SUSPENDED, "Told by two ways.", **values)
        (mail,) = notices.due(session, "mail", 5, now=staffed.moment)
        notices.failed(session, mail, "451 Later", now=staffed.moment)
        (call,) = notices.due(session, "callback", 5, now=staffed.moment)
        notices.delivered(session, call, now=staffed.moment)

    staffed.do(work)
    page = read(staffed.client().get("/users/anna/credits/warnings"))

    assert "waits E-mail to a@example.com, 1 try: 451 Later Again" in page
    assert "delivered Callback to https://example.com/x, 1 try," in page
