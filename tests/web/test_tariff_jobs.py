"""Long price lists over HTTP: uploads that become jobs, their pages, and the limits of what is read."""

import io
import threading
from typing import Any

import pytest
from pennywire_tariff import jobs

from app import administration
from app.engine.jobs import JobRunner
from app.models import Job

BASE = "/plugins/tariff"
LONG = "prefix;price\n" + "".join(f"36{number};0.{number}\n" for number in range(1000, 1001 + jobs.SMALL_LINES))
PROGRAM = {"content_type": "text/csv"}


@pytest.fixture
def shop(site: Any) -> Any:
    """A site with a price list."""
    assert site.client().post(f"{BASE}/add", data={"name": "Retail"}).status_code == 303
    return site


@pytest.fixture
def program(shop: Any) -> Any:
    """Return a caller with an administrator's key."""
    key = shop.do(lambda session: administration.add_key(session, "root", "program", scopes={"admin"}, **shop.by))
    browser = shop.app.test_client()

    def call(method: str, path: str, **values: Any) -> Any:
        return browser.open(path, method=method, headers={"Authorization": f"Bearer {key}"}, **values)

    return call


def upload(browser: Any, text: str | bytes, **values: Any) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return browser.post(f"{BASE}/lists/Retail/import", data={"file": (io.BytesIO(data), "prices.csv")}, **values)


def work(shop: Any, number: int = 1) -> None:
    """Do what an engine does, until a job has ended."""
    duty, pause = JobRunner(shop.core, "test", worked_at=lambda: 0.0, on_failure=lambda _error: None), threading.Event()
    for _ in range(1000):
        duty.turn()
        with shop.core.database.read() as session:
            if session.get_one(Job, number).finished_at is not None:
                return
        pause.wait(0.01)
    raise AssertionError("The job did not end.")


def test_a_long_file_becomes_a_job_whose_page_shows_how_far_it_is_and_then_the_version(shop: Any, read: Any) -> None:
    browser = shop.client()

    answer = upload(browser, LONG)
    waiting = browser.get(answer.location)
    of_list = read(browser.get(f"{BASE}/lists/Retail"))
    work(shop)
    done = browser.get(answer.location)

    assert (answer.status_code, answer.location) == (303, f"{BASE}/jobs/1")
    assert "It begins as soon as the engine is free" in read(waiting)
    assert f'hx-get="{BASE}/jobs/1"' in waiting.text
    assert "prices.csv is being imported (waiting)" in of_list
    assert "Version 1 is a draft with 2,001 prices" in read(done)
    assert "hx-get" not in done.text.partition('id="live"')[2].partition(">")[0]
    assert f'href="{BASE}/lists/Retail/1/preview"' in done.text
    assert "is being imported" not in read(browser.get(f"{BASE}/lists/Retail"))


def test_the_page_that_asks_again_gets_the_part_that_changes_or_nothing_new(shop: Any) -> None:
    browser = shop.client()
    upload(browser, LONG)

    first = browser.get(f"{BASE}/jobs/1", headers={"HX-Request": "true"})
    again = browser.get(f"{BASE}/jobs/1", headers={"HX-Request": "true", "If-None-Match": first.headers["ETag"]})
    work(shop)
    later = browser.get(f"{BASE}/jobs/1", headers={"HX-Request": "true", "If-None-Match": first.headers["ETag"]})

    assert (first.status_code, "<html" in first.text) == (200, False)
    assert (again.status_code, again.text) == (304, "")
    assert (later.status_code, "is a draft" in later.text) == (200, True)


def test_a_long_file_with_a_wrong_line_says_which(shop: Any, read: Any) -> None:
    browser = shop.client()
    upload(browser, LONG + "x;1\n36;-1\n")
    work(shop)

    page = read(browser.get(f"{BASE}/jobs/1"))

    assert "Nothing is kept: 2 of 2,003 lines are wrong" in page
    assert "2003 wrong 'x' is not a prefix" in page
    assert "Import another file" in page
    assert "No version yet" in read(browser.get(f"{BASE}/lists/Retail"))


def test_a_job_is_cancelled_on_its_page_once(shop: Any, read: Any) -> None:
    browser = shop.client()
    upload(browser, LONG)

    first = read(browser.post(f"{BASE}/jobs/1/cancel", follow_redirects=True))
    second = read(browser.post(f"{BASE}/jobs/1/cancel", follow_redirects=True))

    assert "The job was cancelled. Nothing is kept of the file." in first
    assert "The job had ended before." in second


def test_who_may_only_look_sees_jobs_and_starts_and_cancels_none(shop: Any) -> None:
    shop.user("udo", role="auditor")
    shop.user("anna")
    upload(shop.client(), LONG)
    browser, customer = shop.client("udo"), shop.client("anna")

    assert browser.get(f"{BASE}/jobs/1").status_code == 200
    assert "Cancel the import" not in browser.get(f"{BASE}/jobs/1").text
    assert browser.post(f"{BASE}/jobs/1/cancel").status_code == 403
    assert customer.get(f"{BASE}/jobs/1").status_code == 403
    assert shop.app.test_client().get(f"{BASE}/jobs/1").location == "/sign-in"
    assert browser.get(f"{BASE}/jobs/2").status_code == 404


def test_the_form_says_when_there_is_no_room_for_another_job_and_keeps_what_was_chosen(
    shop: Any, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.MOST_OPEN", 0)
    browser = shop.client()

    answer = browser.post(f"{BASE}/lists/Retail/import", data={"file": (io.BytesIO(LONG.encode()), "p.csv"), "decimal": ","})

    assert answer.status_code == 422
    assert "0 jobs have not ended yet" in read(answer)
    assert '<option value="," selected' in answer.text


def test_the_preview_of_a_long_version_is_a_job_whose_page_ends_as_the_preview(shop: Any, read: Any) -> None:
    browser, day = shop.client(), f"{shop.moment.year + 1}-01-01"
    upload(browser, LONG)
    work(shop)

    first = browser.get(f"{BASE}/lists/Retail/1/preview?at={day}")
    again = browser.get(f"{BASE}/lists/Retail/1/preview?at={day}T00:00Z")
    waiting = read(browser.get(first.location))
    work(shop, 3)
    done = browser.get(first.location)
    wrong = browser.get(f"{BASE}/lists/Retail/1/preview?at=tomorrow")

    assert (first.status_code, first.location, again.location) == (303, f"{BASE}/jobs/3", f"{BASE}/jobs/3")
    assert "Preview of version 1 waiting" in waiting
    assert "Cancel the preview" in waiting
    assert "Added 2,001 Removed 0" in read(done)
    assert f'action="{BASE}/lists/Retail/1/preview"' in done.text
    assert f"Activate from {day}T00:00:00Z" in read(done)
    assert f'name="at" value="{day}T00:00:00Z"' in done.text
    assert "Added 2,001 Removed 0" in read(browser.get(f"{BASE}/lists/Retail/1/preview?at={day}"))
    assert (wrong.status_code, 'class="error"' in wrong.text) == (422, True)
    browser.post(f"{BASE}/lists/Retail/1/activate", data={"at": f"{day}T00:00:00Z"})
    assert "scheduled" in read(browser.get(f"{BASE}/lists/Retail"))


def test_a_long_table_of_networks_is_a_job_too(shop: Any, read: Any) -> None:
    browser = shop.client()
    table = "prefix;mcc;mnc\n" + "".join(f"36{number};216;30\n" for number in range(1000, 1001 + jobs.SMALL_LINES))

    good = browser.post(f"{BASE}/networks", data={"file": (io.BytesIO(table.encode()), "n.csv")})
    bad = browser.post(f"{BASE}/networks", data={"file": (io.BytesIO(f"{table}x;216;30\n".encode()), "n.csv")})
    waiting = read(browser.get(good.location))
    work(shop, 2)

    assert (good.location, bad.location) == (f"{BASE}/jobs/1", f"{BASE}/jobs/2")
    assert "Import of networks" in waiting
    assert "2,001 prefixes are known by their networks." in read(browser.get(good.location))
    assert "2003 wrong 'x' is not a prefix" in read(browser.get(bad.location))
    assert "Prefixes 2,001" in read(browser.get(f"{BASE}/networks"))


# What is read.


def test_an_administrator_sends_more_than_the_usual_limit_and_nobody_else_does(shop: Any) -> None:
    shop.app.config["MAX_CONTENT_LENGTH"] = 10_000
    shop.user("udo", role="auditor")
    browser = shop.client()

    answers = [upload(one, LONG).status_code for one in (browser, shop.client("udo"), shop.app.test_client())]
    elsewhere = browser.post(f"{BASE}/groups", data={"username": LONG}).status_code

    assert len(LONG) > 10_000
    assert answers[0] == 303
    assert answers[1] in (403, 413)
    assert answers[2] in (303, 413)
    assert elsewhere == 413
    assert shop.app.test_client().get(f"{BASE}/jobs/2").location == "/sign-in"
    assert shop.client().get(f"{BASE}/jobs/2").status_code == 404


def test_a_file_above_the_limit_of_its_own_is_refused_on_both_ways(shop: Any, program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.app.config["MAX_CONTENT_LENGTH"] = 1_000
    views = shop.app.view_functions
    for endpoint in ("tariff.import_file", "tariff.api_import_version"):
        marked = getattr(views[endpoint], "__wrapped__", views[endpoint])
        for view in (views[endpoint], marked):
            monkeypatch.setattr(view, "pennywire_body_octets", 20_000, raising=False)

    form = upload(shop.client(), LONG + "#" * 20_000)
    body = program("POST", "/api/v1/tariff/lists/Retail/versions", data=LONG + "#" * 20_000, **PROGRAM)

    assert (form.status_code, body.status_code, body.json["code"]) == (413, 413, "body_too_large")


# Programs.


def test_a_program_is_told_where_its_job_is_and_finds_the_report_there(shop: Any, program: Any) -> None:
    made = program("POST", "/api/v1/tariff/lists/Retail/versions?origin=erp", data=LONG, **PROGRAM)
    waiting = program("GET", made.headers["Location"])
    work(shop)
    done = program("GET", made.headers["Location"])

    assert (made.status_code, made.headers["Location"]) == (202, "/api/v1/tariff/jobs/1")
    assert (made.json["job"], made.json["list"], made.json["address"]) == (1, "Retail", "/api/v1/tariff/jobs/1")
    assert (waiting.json["state"], waiting.json["result"]) == ("waiting", None)
    assert (done.json["state"], done.json["done"], done.json["total"]) == ("done", 2001, 2002)
    assert done.json["result"] | {"line_count": 2001, "accepted": True, "version": 1} == done.json["result"]
    assert [job["kind"] for job in program("GET", "/api/v1/tariff/jobs").json["jobs"]] == ["tariff.preview", "tariff.import"]
    assert program("GET", "/api/v1/tariff/lists/Retail").json["versions"][0]["job"] == 1


def test_a_program_cancels_a_job_and_hears_of_one_that_is_not_there(program: Any) -> None:
    program("POST", "/api/v1/tariff/lists/Retail/versions", data=LONG, **PROGRAM)

    cancelled = program("DELETE", "/api/v1/tariff/jobs/1")
    again = program("DELETE", "/api/v1/tariff/jobs/1")
    missing = program("GET", "/api/v1/tariff/jobs/9")

    assert (cancelled.status_code, cancelled.json["state"]) == (200, "cancelled")
    assert (again.status_code, again.json["field"]) == (422, "job")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")


def test_a_short_body_is_still_answered_at_once(program: Any) -> None:
    made = program("POST", "/api/v1/tariff/lists/Retail/versions", data="36;1\n43;x\n", **PROGRAM)

    assert (made.status_code, made.json["errors"][0]["line"]) == (422, 2)


def test_a_program_asks_for_the_preview_of_a_long_version_until_it_is_there(shop: Any, program: Any) -> None:
    program("POST", "/api/v1/tariff/lists/Retail/versions", data=LONG, **PROGRAM)
    work(shop)
    address = "/api/v1/tariff/lists/Retail/versions/1/preview"

    asked = program("GET", address)
    work(shop, 2)
    job = program("GET", asked.headers["Location"])
    there = program("GET", address)

    assert (asked.status_code, asked.headers["Location"]) == (202, "/api/v1/tariff/jobs/2")
    assert there.status_code == 200
    assert there.json["counts"]["added"] == 2001
    assert job.json["result"] == there.json
