"""The receipt inspector: unmatched receipts, the reading that meets their messages, and the click that sets it."""

from typing import Any

import pytest
from sqlalchemy import select

from app import reports, sweeping
from app.models import ParkedReport, ServiceConnection
from pennywire import Accepted, Report, ReportState
from pennywire.sms.receipts import id_forms

ADDRESS = "/connections/smsc/receipts"


@pytest.fixture
def smsc(site: Any) -> Any:
    """A site with an SMPP connection that reads ids as they are, a route and a user with credit."""
    site.connection("smsc", "smpp", host="smsc.example", system_id="me", password="s3cr3t!", receipt_id_form="as_is")
    site.route(targets=("smsc",))
    site.user("anna", credit="100")
    return site


def tell(site: Any, said: str, raw: str, destination: str = "+36201234567") -> None:
    """Have a receipt come that meets nothing."""
    snapshot = site.core.snapshots.reload()
    connection = next(iter(snapshot.connections.values()))
    report = Report(id_forms(said, "as_is"), ReportState.DELIVERED, "000", site.moment, raw, destination)
    with site.core.database.write() as session:
        reports.apply_reports(session, snapshot, [(connection, report)], now=site.moment)


def settings(site: Any) -> dict[str, Any]:
    with site.core.database.read() as session:
        return dict(session.scalars(select(ServiceConnection)).one().settings)


@pytest.mark.parametrize(
    ("answered", "said", "raw", "form", "prefix"),
    [
        ("1602718841", "5F878C79", "id:5F878C79 stat:DELIVRD", "hex_to_decimal", ""),
        ("5f878c79", "1602718841", "id:1602718841 stat:DELIVRD", "decimal_to_hex", ""),
        ("1602718841", "5F", f"id:5F stat:DELIVRD | receipted_message_id={b'5F878C79'.hex()}00", "hex_to_decimal", ""),
        ("1602718841", "SC-1602718841", "id:SC-1602718841 stat:DELIVRD", "as_is", "SC-"),
        ("1602718841", "SC-5F878C79", "id:SC-5F878C79 stat:DELIVRD", "hex_to_decimal", "SC-"),
    ],
)
def test_d1_the_reading_that_meets_is_found_and_set_with_one_click(
    smsc: Any, read: Any, answered: str, said: str, raw: str, form: str, prefix: str
) -> None:
    """The receipt that waited is matched by the sweeper then."""
    smsc.send()
    smsc.work(Accepted(answered))
    tell(smsc, said, raw)
    browser, password = smsc.client(), settings(smsc)["password"]

    page = browser.get(ADDRESS)
    answer = browser.post(ADDRESS, data={"form": form, "prefix": prefix})
    sweeping.sweep(smsc.core.database, smsc.core.snapshots.reload(), ids=smsc.core.ids, now=smsc.moment)

    assert "1 of the 1 newest receipts meet a message" in read(page)
    assert f'name="form" value="{form}"' in page.text
    assert f'name="prefix" value="{prefix}"' in page.text
    assert answer.headers["Location"] == ADDRESS
    stored = settings(smsc)
    assert (stored["receipt_id_form"], stored["receipt_id_prefix"]) == (form, prefix)
    assert smsc.core.vault.decrypt(stored["password"]) == smsc.core.vault.decrypt(password) == "s3cr3t!"
    assert [message.state for message in smsc.messages()] == ["delivered"]
    assert "Every receipt met its message" in read(browser.get(ADDRESS))


def test_a_receipt_about_another_number_is_no_proof(smsc: Any, read: Any) -> None:
    """Ids that are read in the wrong base may be those of strangers."""
    smsc.send()
    smsc.work(Accepted("1602718841"))
    tell(smsc, "5F878C79", "id:5F878C79 stat:DELIVRD", destination="+36709999999")

    page = smsc.client().get(ADDRESS)

    assert "Unmatched receipts 1 in all" in read(page)
    assert 'name="form"' not in page.text


def test_a_national_number_in_a_receipt_is_the_same(smsc: Any) -> None:
    smsc.send()
    smsc.work(Accepted("1602718841"))
    tell(smsc, "5F878C79", "id:5F878C79 stat:DELIVRD", destination="06201234567")

    assert 'value="hex_to_decimal"' in smsc.client().get(ADDRESS).text


def test_a_reading_that_the_settings_refuse_changes_nothing(smsc: Any, read: Any) -> None:
    browser, before = smsc.client(), settings(smsc)

    answer = browser.post(ADDRESS, data={"form": "octal"}, follow_redirects=True)

    assert "must be one of" in read(answer)
    assert settings(smsc) == before


def test_only_kinds_with_the_settings_have_the_page(site: Any, read: Any) -> None:
    site.connection()
    browser = site.client()

    assert "Receipts" not in read(browser.get("/connections/wire"))
    assert "no setting for the ids" in read(browser.post("/connections/wire/receipts", data={"form": "as_is"}, follow_redirects=True))


def test_an_auditor_reads_and_does_not_set(smsc: Any) -> None:
    smsc.send()
    smsc.work(Accepted("1602718841"))
    tell(smsc, "5F878C79", "id:5F878C79 stat:DELIVRD")
    smsc.user("audit", role="auditor")
    browser = smsc.client("audit")

    page = browser.get(ADDRESS)
    answer = browser.post(ADDRESS, data={"form": "hex_to_decimal"})

    assert page.status_code == 200
    assert 'name="form"' not in page.text
    assert answer.status_code == 403
    assert settings(smsc)["receipt_id_form"] == "as_is"


def test_a_receipt_without_an_id_is_shown_and_stays(smsc: Any) -> None:
    tell(smsc, "", "stat:DELIVRD <script>")
    browser = smsc.client()

    browser.post(ADDRESS, data={"form": "auto"})
    page = browser.get(ADDRESS)

    assert "<script> stat" not in page.text
    assert "stat:DELIVRD &lt;script&gt;" in page.text
    with smsc.core.database.read() as session:
        assert session.scalars(select(ParkedReport.network_id)).all() == [""]


def test_the_menu_tree_leads_to_the_receipts_of_a_connection_that_has_ids_to_read(smsc: Any) -> None:
    smsc.connection("wire")

    page = smsc.client().get("/connections").text

    assert f'href="{ADDRESS}"' in page
    assert 'href="/connections/wire/test"' in page
    assert 'href="/connections/wire/receipts"' not in page
