"""`createuser` and its companions, and `reporting`, by the legacy dialect: for administrators only, whole or not at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.security import check_password_hash

from app.models import AuditEntry, Transfer, User
from app.refusals import REFUSALS


@pytest.fixture
def office(gateway: Any) -> Any:
    """The gateway with an administrator who may use the dialect."""
    gateway.user("boss", role="administrator", credit="0")
    return gateway


@pytest.fixture(scope="module")
def calm(standing: Any) -> Any:
    """The office, for calls that change nothing."""
    return standing


@pytest.fixture
def either(both: Any) -> Any:
    """The office on either database."""
    both.user("boss", role="administrator", credit="0")
    return both


def boss(gateway: Any, action: str, **parameters: str) -> Any:
    return gateway.get(user="boss", action=action, **parameters)


def stored(gateway: Any, name: str) -> User | None:
    with gateway.core.database.read() as session:
        return session.execute(select(User).where(User.username == name)).scalar()


def test_a_user_is_created_as_the_old_product_does(office: Any, xml: Any) -> None:
    answer = boss(office, "createuser", type="Standard", name="shop")

    assert answer.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE smsapi PUBLIC "-//OZEKI//DTD XML 1.0//EN" "http://www.ozekisms.com/DTD/smsapi.xml">\n'
        "<response>\n  <action>createuser</action>\n  <data>\n    <user>\n      <username>shop</username>\n"
        "      <type>Standard</type>\n      <status>started</status>\n    </user>\n  </data>\n</response>\n"
    )
    user = stored(office, "shop")
    assert user is not None
    assert (user.role, user.kind, user.accounting_enabled, user.legacy_api_enabled) == ("customer", "standard", True, True)
    assert xml(answer).text("status") == "started"


def test_a_created_user_signs_in_with_his_own_password(office: Any, xml: Any) -> None:
    """The caller's password and the new user's stand in one request: the new one's is the one in capitals."""
    address = "/api?action=createuser&username=boss&password=s3cret%26%2Bpass&name=shop&type=HTTP+Server&PASSWORD=a+good+one"

    assert xml(office.client.get(address)).text("type") == "Application"

    assert xml(office.get(user="shop", password="a good one", action="getcredits")).text("balance") == "0"


@pytest.mark.parametrize("names", [("USERNAME", "PASSWORD"), ("Username", "Password")])
def test_capitals_alone_are_the_callers(calm: Any, xml: Any, names: tuple[str, str]) -> None:
    answer = calm.client.get("/api", query_string={"ACTION": "getcredits", names[0]: "anna", names[1]: "s3cret&+pass"})

    assert xml(answer).text("username") == "anna"


@pytest.mark.full
def test_a_configuration_of_the_old_product_is_taken(office: Any, xml: Any) -> None:
    office.user("shop", credit="0")
    form = {
        "action": "configuser",
        "username": "boss",
        "password": "s3cret&+pass",
        "name": "shop",
        "ACCOUNTING": "off",
        "ALLOWROUTEOVERRIDE": "on",
        "GUIACCESS": "0",
        "IDOVERRIDE": "False",
        "PHONENUMBER": "+36201112222",
        "LOGHISTORYCOUNT": "4",
        "TBPATH": "C:\\Users",
        "AUTOCONNECT": "on",
        "PASSWORD": "quite a new one",
    }

    answer = xml(office.client.post("/api", data=form))

    assert answer.text("username") == "shop"
    user = stored(office, "shop")
    assert user is not None
    assert (user.accounting_enabled, user.route_override_allowed, user.gui_enabled, user.source_override_allowed) == (
        False,
        True,
        False,
        False,
    )
    assert user.default_source == "+36201112222"
    assert check_password_hash(user.password_hash, "quite a new one")


@pytest.mark.full
def test_a_user_is_stopped_and_started(office: Any, xml: Any) -> None:
    assert xml(boss(office, "stopuser", name="anna")).text("status") == "stopped"
    assert xml(office.send()).text("errorcode") == str(REFUSALS["user_suspended"].number)
    assert xml(boss(office, "stopuser", name="anna")).text("status") == "stopped"
    assert xml(boss(office, "startuser", name="anna")).text("status") == "started"
    assert xml(office.send()).text("statuscode") == "0"


def test_a_user_is_deleted_only_with_a_word_about_his_balance(office: Any, xml: Any) -> None:
    refused = xml(boss(office, "deleteuser", name="anna"))
    assert (refused.text("errorcode"), "The balance is 10 credits" in refused.text("errormessage")) == ("119", True)
    assert stored(office, "anna").active  # type: ignore[union-attr]  # she is there

    answer = xml(boss(office, "deleteuser", name="anna", reason="Contract ended"))

    assert (answer.text("username"), answer.text("status")) == ("anna", "deleted")
    assert office.money() == ("0", "0")
    assert xml(office.send()).text("errorcode") == "101"
    with office.core.database.read() as session:
        verbs = list(session.scalars(select(AuditEntry.verb).where(AuditEntry.actor == "boss", AuditEntry.subject == "user anna")))
    assert verbs == ["credit", "delete"]


@pytest.mark.parametrize(
    ("action", "parameters", "code", "word"),
    [
        ("createuser", {"type": "Standard"}, "missing_parameter", "name"),
        ("createuser", {"name": "shop", "type": "SMPP"}, "invalid_parameter", "'SMPP'"),
        ("createuser", {"name": "two words"}, "invalid_parameter", "1 to 16"),
        ("createuser", {"name": "anna"}, "conflict", "a user anna already"),
        ("createuser", {"name": "shop", "newpassword": "short"}, "invalid_parameter", "8 to 256"),
        ("createuser", {"name": "shop", "newpassword": "_ENC_0123456789"}, "invalid_parameter", "in clear"),
        ("createuser", {"name": "shop", "CREDITS": "100"}, "invalid_parameter", "no setting 'CREDITS'"),
        ("configuser", {"name": "anna"}, "missing_parameter", "at least one setting"),
        ("configuser", {"name": "anna", "ACCOUNTING": "maybe"}, "invalid_parameter", "on or off"),
        ("configuser", {"name": "anna", "ACCOUNTING": "off", "MAXSEGMENTS": "999"}, "invalid_parameter", "1 to 255"),
        ("configuser", {"name": "nobody", "ACCOUNTING": "off"}, "not_found", "case-sensitive"),
        ("configuser", {"name": "anna", "newusername": "hanna"}, "invalid_parameter", "does not change"),
        ("startuser", {"name": "nobody"}, "not_found", "nobody"),
        ("stopuser", {"name": "boss"}, "conflict", "only administrator"),
        ("stopuser", {"name": "anna", "useraccount": "boss"}, "invalid_parameter", "named twice"),
        ("deleteuser", {"name": "boss"}, "conflict", "delete himself"),
        ("deleteuser", {}, "missing_parameter", "name"),
        ("reporting", {"repDirection": "up"}, "invalid_parameter", "in or out"),
        ("reporting", {"toExport": "pdf"}, "invalid_parameter", "summary"),
        ("reporting", {"repFrom": "yesterday"}, "invalid_parameter", "2026-01-31"),
        ("reporting", {"repFrom": "2026-02-01", "repTo": "2026-01-01"}, "invalid_parameter", "before it begins"),
        ("reporting", {"repUser": "nobody"}, "not_found", "nobody"),
        ("reporting", {"repOperator": "nowhere"}, "not_found", "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    calm: Any, xml: Any, action: str, parameters: dict[str, str], code: str, word: str
) -> None:
    before = (calm.count(AuditEntry), calm.count(User), calm.count(Transfer))

    answer = xml(boss(calm, action, **parameters))

    assert answer.text("errorcode") == str(REFUSALS[code].number), answer.text("errormessage")
    assert word in answer.text("errormessage")
    assert (calm.count(AuditEntry), calm.count(User), calm.count(Transfer)) == before


ACTIONS = ("createuser", "configuser", "startuser", "stopuser", "deleteuser", "reporting")


@pytest.mark.parametrize("role", ["customer", "operator", "auditor"])
@pytest.mark.parametrize("action", ACTIONS)
def test_only_administrators_administer(calm: Any, xml: Any, action: str, role: str) -> None:
    if f"e-{role}" not in calm.core.snapshots.present().users:
        calm.user(f"e-{role}", role=role, credit="0")
    before = calm.count(AuditEntry)

    answer = xml(calm.get(user=f"e-{role}", action=action, name="anna", ACCOUNTING="off"))

    assert (answer.text("errorcode"), calm.count(AuditEntry)) == ("102", before)


@pytest.mark.parametrize(
    ("spelled", "action"), [("CreateUser", "createuser"), ("create_user", "createuser"), ("adduser", "createuser"), ("Report", "reporting")]
)
def test_actions_are_understood_as_programs_spell_them(calm: Any, xml: Any, spelled: str, action: str) -> None:
    assert xml(boss(calm, spelled, **({"name": spelled} if action == "createuser" else {}))).text("action") == action


def test_answers_are_written_in_html_and_for_message_server_6(office: Any) -> None:
    page = boss(office, "stopuser", name="anna", responseformat="html")
    old = office.client.get("/ozeki?action=startUser&ozmsUserInfo=boss:s3cret%26%2Bpass&name=anna")

    assert page.content_type == "text/html; charset=utf-8"
    assert "Username: anna<br>\nType: Standard<br>\nStatus: stopped<br>\n<br>" in page.text
    assert old.text == (
        "<Response><Action>startUser</Action><Data><User><Username>anna</Username><Type>Standard</Type>"
        "<Status>started</Status></User></Data></Response>\n"
    )


# Reporting.


def busied(gateway: Any) -> Any:
    """Let two users have traffic; ids carry the real time."""
    gateway.user("ben", credit="50")
    gateway.send()
    gateway.send(messagedata="x" * 200)
    gateway.send(user="ben")
    gateway.receive("one", "two")
    return gateway


@pytest.fixture(scope="module")
def busy(calm: Any) -> Any:
    """The office with traffic."""
    return busied(calm)


def test_the_summary_counts_the_messages_of_each_user(busy: Any, xml: Any) -> None:
    answer = boss(busy, "reporting", repDirection="out", toExport="summary")

    assert "<user>\n      <username>anna</username>\n      <messages>2</messages>\n    </user>" in answer.text
    assert xml(answer).all("username") == ["anna", "ben"]
    assert xml(answer).all("messages") == ["2", "1"]
    assert xml(answer).all("segments") == []


@pytest.mark.parametrize(
    ("parameters", "counted"),
    [
        ({"repDirection": "in"}, {"anna": "2"}),
        ({}, {"anna": "4", "ben": "1"}),
        ({"repUser": "ben"}, {"ben": "1"}),
        ({"name": "boss"}, {"boss": "0"}),
        ({"repDirection": "out", "repOperator": "wire"}, {"anna": "2", "ben": "1"}),
        ({"repFrom": "2000-01-01", "repTo": "2001-01-01"}, {}),
        ({"repFrom": "1970-01-01 00:00:00"}, {"anna": "4", "ben": "1"}),
    ],
)
def test_a_report_is_narrowed(busy: Any, xml: Any, parameters: dict[str, str], counted: dict[str, str]) -> None:
    answer = xml(boss(busy, "reporting", **parameters))

    assert dict(zip(answer.all("username"), answer.all("messages"), strict=True)) == counted


def test_a_day_counts_to_its_end_by_the_gateways_clock(busy: Any, xml: Any) -> None:
    today = datetime.now(UTC).date()

    def counted(**parameters: str) -> list[str]:
        return xml(boss(busy, "reporting", repUser="anna", **parameters)).all("messages")

    # The ids carry the real time; a day on either side keeps a midnight from making a difference.
    assert counted(repFrom=str(today - timedelta(days=1)), repTo=str(today + timedelta(days=1))) == ["4"]
    assert counted(date=str(today + timedelta(days=3))) == ["0"]
    assert counted(date=(today - timedelta(days=3)).strftime("%Y.%m.%d.")) == ["0"]


@pytest.mark.full
def test_the_detailed_report_adds_segments_and_what_was_charged(either: Any, xml: Any) -> None:
    answer = xml(boss(busied(either), "reporting", repDirection="out", toExport="detailed"))

    assert (answer.all("segments"), answer.all("cost")) == (["3", "1"], ["3", "1"])


# Credit that takes a second person.


@pytest.mark.parametrize(("action", "parameters"), [("addcredits", {"add": "500"}), ("setcredits", {"newbalance": "500"})])
def test_a_change_that_takes_a_second_person_says_so(office: Any, xml: Any, action: str, parameters: dict[str, str]) -> None:
    office.option("second_person_above", "100")

    answer = xml(boss(office, action, useraccount="anna", **parameters))

    assert (answer.text("balance"), office.money()) == ("10", ("10", "0"))
    assert "proposal 1 and waits for a second person" in answer.text("statusmessage")
