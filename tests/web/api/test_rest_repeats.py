"""The modern API: idempotency keys and the dry run."""

from typing import Any

import msgspec
import pytest

from app.models import Message
from app.refusals import REFUSALS
from app.web.api.problem import TYPE_PREFIX

URL = "/api/v1/messages"
PLAIN = {"destination": "+36201234567", "text": "hello"}


@pytest.fixture
def post(request: pytest.FixtureRequest) -> Any:
    """Send JSON with anna's key to the test's gateway."""
    gateway = request.getfixturevalue("both" if "both" in request.fixturenames else "gateway")
    key = gateway.key()

    def call(body: Any, url: str = URL, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return gateway.client.post(url, data=content, content_type="application/json", headers={"Authorization": f"Bearer {key}", **named})

    return call


def is_problem(response: Any, code: str, status: int | None = None) -> bool:
    """Say whether an answer is that problem, complete and consistent."""
    body = response.get_json()
    refusal = REFUSALS[code]
    assert response.content_type == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["detail"]
    assert "Set-Cookie" not in response.headers
    expected = (TYPE_PREFIX + code, refusal.title, code, refusal.number, status or refusal.status)
    assert (body["type"], body["title"], body["code"], body["number"], body["status"]) == expected
    return True


# Keys.


def test_a_repeat_with_its_key_gets_the_stored_answer(both: Any, post: Any) -> None:
    first = post(PLAIN, Idempotency_Key='"a-key"')
    again = post(PLAIN, Idempotency_Key="a-key")

    assert again.data == first.data
    assert (first.status_code, again.status_code) == (202, 202)
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert (both.count(Message), both.money()) == (1, ("10", "1"))


def test_a_repeat_of_a_batch_accepted_in_part_gets_the_same_answer(gateway: Any, post: Any) -> None:
    body = {"messages": [PLAIN, {"destination": "12x", "text": "x"}]}

    first, again = post(body, Idempotency_Key="b"), post(body, Idempotency_Key="b")

    assert (first.status_code, again.data) == (200, first.data)
    assert gateway.count(Message) == 1


def test_a_key_with_other_content_is_refused(both: Any, post: Any) -> None:
    post(PLAIN, Idempotency_Key="a-key")

    assert is_problem(post({**PLAIN, "text": "other"}, Idempotency_Key="a-key"), "idempotency_conflict")
    assert both.count(Message) == 1


def test_a_refusal_is_not_kept_under_its_key(gateway: Any, post: Any) -> None:
    too_long = {**PLAIN, "text": "x" * 300}
    gateway.edit(max_segments=1)

    first = post(too_long, Idempotency_Key="k")
    gateway.edit(max_segments=2)
    second = post(too_long, Idempotency_Key="k")

    assert is_problem(first, "text_too_long")
    assert second.status_code == 202


def test_keys_belong_to_their_user(gateway: Any, post: Any) -> None:
    gateway.user("ben")
    post(PLAIN, Idempotency_Key="k")

    response = gateway.client.post(URL, json=PLAIN, headers={"X-API-Key": gateway.key("ben"), "Idempotency-Key": "k"})

    assert response.status_code == 202
    assert gateway.count(Message) == 2


@pytest.mark.parametrize("key", ["", '""', "with blank", "x" * 101, "\u00e9"])
def test_a_key_that_cannot_be_is_refused(gateway: Any, post: Any, key: str) -> None:
    assert is_problem(post(PLAIN, Idempotency_Key=key), "invalid_parameter")
    assert gateway.count(Message) == 0


# Dry runs.


@pytest.mark.parametrize(("url", "more"), [(f"{URL}?dry_run=1", {}), (URL, {"dry_run": True})])
def test_a_dry_run_tells_the_price_and_why(gateway: Any, post: Any, url: str, more: dict[str, Any]) -> None:
    gateway.edit(country_code="36")
    before = gateway.traces()

    response = post({"destination": "06201234567", "text": "He said \u201cyes\u201d" + "x" * 70, **more}, url)

    assert response.status_code == 200
    body = response.get_json()
    assert (body["dry_run"], body["accepted"], body["refused"], body["total"]) == (True, 1, 0, "2")
    assert (body["available"], body["affordable"]) == ("10", True)
    assert body["messages"] == [
        {
            "destination": "+36201234567",
            "source": "",
            "segment_count": 2,
            "alphabet": "ucs2",
            "length": 83,
            "forced_by": {"position": 8, "character": "\u201c", "replacement": '"'},
            "route": "all",
            "route_why": "matches everything",
            "provider": "wire",
            "price": "2",
            "per_segment": "1",
            "price_why": "Default 1 for each segment",
            "charged": True,
        }
    ]
    assert gateway.traces() == before


def test_a_dry_run_tells_what_the_account_cannot_pay(post: Any) -> None:
    body = post({"messages": [PLAIN] * 11, "dry_run": True}).get_json()

    assert (body["total"], body["available"], body["affordable"]) == ("11", "10", False)


def test_a_dry_run_tells_refusals(post: Any) -> None:
    body = post({"messages": [PLAIN, {"destination": "12x", "text": "x"}], "dry_run": True}).get_json()

    assert (body["accepted"], body["refused"], body["messages"][1]["code"]) == (1, 1, "invalid_destination")
