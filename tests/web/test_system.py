"""System pages, reports, the dashboard."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import administration
from app.models import Account, PluginRow
from app.plugins import PluginInfo


def test_a_planted_fault_is_found_by_the_ledger_check(busy: Any, read: Any) -> None:
    browser = busy.client("root")
    assert "matches" in read(browser.get("/system/ledger-check?run=1"))
    assert "Something does not match" not in read(browser.get("/system/ledger-check?run=1"))

    def steal(session: Any) -> None:
        account = session.scalars(select(Account).where(Account.name.startswith("user:"), Account.balance_uc > 0)).one()
        account.balance_uc += 1

    busy.do(steal)

    page = read(browser.get("/system/ledger-check?run=1"))
    assert "Something does not match" in page
    assert "differs" in page


def test_the_ledger_is_checked_only_when_asked(site: Any, read: Any) -> None:
    assert "Nothing has been checked yet" in read(site.client().get("/system/ledger-check"))


def test_a_plugin_is_switched_after_a_question(site: Any, read: Any) -> None:
    browser = site.client()
    assert "Disable the plugin “modem”?" in read(browser.get("/system/plugins/modem/switch"))

    browser.post("/system/plugins/modem/switch", data={"enabled": "0"})

    with site.core.database.read() as session:
        assert session.get_one(PluginRow, "modem").enabled is False
    assert site.ends == ["asked to end"]
    assert browser.get("/system/plugins/unknown/switch").status_code == 404


def test_no_other_change_ends_the_process(site: Any) -> None:
    site.user("anna")
    site.client().get("/")

    assert site.ends == []


def test_a_failed_plugin_shows_its_traceback(site: Any, read: Any) -> None:
    site.core.plugins.infos["broken"] = PluginInfo("broken", enabled=True, error="Traceback: <boom>")

    page = site.client().get("/system/plugins")

    assert "broken failed" in read(page)
    assert "&lt;boom&gt;" in page.text


def test_the_home_country_makes_national_numbers_known(site: Any, read: Any) -> None:
    site.connection()
    site.route()
    browser = site.client()

    browser.post("/system/settings", data={"country_code": "+36"})

    assert 'value="36"' in browser.get("/system/settings").text
    assert "+36201234567" in read(browser.post("/compose/preview", data={"user": "root", "destination": "06201234567", "text": "Hi"}))


@pytest.mark.parametrize("code", ["036", "abc", "3 6", "12345", "३६"])
def test_a_calling_code_that_is_none_is_refused(site: Any, read: Any, code: str) -> None:
    answer = site.client().post("/system/settings", data={"country_code": code})

    assert answer.status_code == 422
    assert "A calling code has 1 to 3 digits" in read(answer)
    assert f'value="{code}"' in answer.text


def test_the_audit_log_tells_who_changed_what(site: Any, read: Any) -> None:
    site.user("anna")
    site.client().post(
        "/users/anna/configuration/advanced", data={"accounting_enabled": "on", "source_override_allowed": "on", "gui_enabled": "on"}
    )

    page = read(site.client().get("/system/audit?subject=anna"))

    assert "root edit user anna accounting enabled: no → yes" in page


def test_time_zone_and_legacy_status_are_fields(site: Any) -> None:
    browser = site.client()

    answer = browser.post("/system/settings", data={"time_zone": "Europe/Budapest", "legacy_refusal_status": "yes"})

    assert answer.status_code == 303
    options = site.core.snapshots.reload().options
    assert (options["time_zone"], options["legacy_refusal_status"]) == ("Europe/Budapest", "yes")
    assert 'value="Europe/Budapest"' in browser.get("/system/settings").text
    browser.post("/system/settings", data={"time_zone": "Europe/Budapest", "legacy_refusal_status": ""})
    assert not site.core.snapshots.reload().options["legacy_refusal_status"]


def test_an_unknown_time_zone_is_refused_and_kept(site: Any, read: Any) -> None:
    answer = site.client().post("/system/settings", data={"time_zone": "Europe/Atlantis"})

    assert answer.status_code == 422
    assert "There is no time zone" in read(answer)
    assert 'value="Europe/Atlantis"' in answer.text


def test_ready_lines_name_the_user_and_this_host(site: Any, read: Any) -> None:
    page = read(site.client().get("/system/http-api"))

    assert "curl http://localhost/api/v1/messages" in page
    assert "username=root&password=YOUR_PASSWORD" in page


def test_programs_are_shown_in_the_chosen_language_and_for_the_chosen_user(busy: Any, read: Any) -> None:
    staff = read(busy.client().get("/system/http-api?language=Python&user=anna"))
    customer = read(busy.client("anna").get("/system/http-api?user=root&language=Cobol"))

    assert 'urllib.request.Request("http://localhost/api/v1/account")' in staff
    assert "username=anna&password=YOUR_PASSWORD" in staff
    assert "username=anna&password=YOUR_PASSWORD" in customer
    assert "curl http://localhost/api/v1/account" in customer


def test_traffic_is_counted_by_day_and_state(busy_both: Any, read: Any) -> None:
    page = read(busy_both.client().get("/reports/traffic?days=7"))

    # Delivered, sent, waiting, failed, sent in all, segments, charged, received.
    assert f"{busy_both.moment.date()} 1 0 2 1 4 4 6 1" in page


def test_traffic_of_one_user_leaves_out_the_others(busy: Any, read: Any) -> None:
    busy.user("ben")

    page = read(busy.client().get("/reports/traffic?user=ben"))

    assert f"{busy.moment.date()} 0 0 0 0 0 0 0 0" in page
    assert f"{busy.moment.date()} 1 0 2 1 4 4 6 1" in read(busy.client("anna").get("/reports/traffic?user=ben"))
    assert "There is no user nobody." in read(busy.client().get("/reports/traffic?user=nobody"))


def test_traffic_of_a_day_is_that_of_the_gateways_clock(busy: Any, read: Any) -> None:
    """At half past twelve at night in Kiritimati, fourteen hours ahead, the day has changed already."""
    busy.moment = busy.moment.replace(hour=10, minute=30)
    busy.do(lambda session: administration.set_option(session, "time_zone", "Pacific/Kiritimati", **busy.by))
    tomorrow = (busy.moment + timedelta(hours=14)).date()

    page = read(busy.client().get("/reports/traffic?days=7"))

    assert tomorrow > busy.moment.date()
    assert f"{tomorrow} " in page
    assert "(Pacific/Kiritimati)" in page


def test_pages_say_when_nobody_counts(busy: Any, read: Any) -> None:
    busy.send()
    assert "is not counted yet" not in read(busy.client().get("/"))

    busy.moment += timedelta(minutes=2)

    for path in ("/", "/reports/traffic", "/users/anna/credits", "/users/anna/credits/info"):
        assert "is not counted yet" in read(busy.client().get(path))
    busy.count()
    assert "is not counted yet" not in read(busy.client().get("/"))


def test_the_dashboard_names_low_credit_and_doubt(busy: Any, read: Any) -> None:
    busy.user("poor", credit="2")

    page = read(busy.client().get("/"))

    assert "Low credit poor 2" in page
    assert "In the queue 1" in page
    assert "wire Loopback up" in page


def test_the_dashboard_of_a_customer_shows_his_credit(busy: Any, read: Any) -> None:
    page = read(busy.client("anna").get("/"))

    assert "Sent today 4 4 segments" in page
    assert "Available credit 15.5" in page
    assert "Connections" not in page


def test_first_steps_go_away_when_they_are_done(site: Any, read: Any) -> None:
    assert "First steps" in read(site.client().get("/"))
    site.connection()
    site.route()
    site.user("anna")
    site.do(lambda session: administration.set_option(session, "country_code", "36", **site.by))

    assert "First steps" not in read(site.client().get("/"))
