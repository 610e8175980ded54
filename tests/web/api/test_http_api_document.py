"""`docs/http-api.md` says what the gateway does: its table is the code's, its examples work."""

import base64
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from app.refusals import REFUSALS
from app.web.api import admin, legacy, vendor_json
from app.web.api.legacy_call import FOLDERS
from app.web.api.rest_shapes import SingleIn

TEXT = (Path(__file__).parents[3] / "docs/http-api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^curl .+$", TEXT, flags=re.MULTILINE)


def test_the_table_of_refusals_is_the_codes() -> None:
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (\d+) \| (\d+) \| (.+) \|$", TEXT, flags=re.MULTILINE)

    assert rows == [(refusal.code, str(refusal.number), str(refusal.status), refusal.title) for refusal in REFUSALS.values()]


def test_codes_and_numbers_name_one_refusal_each() -> None:
    assert len({refusal.number for refusal in REFUSALS.values()}) == len(REFUSALS)
    assert all(code == refusal.code for code, refusal in REFUSALS.items())


def test_every_member_of_a_message_is_described() -> None:
    described = {
        name
        for cell in re.findall(r"^\| (`[a-z_`, ]+`) \| (?:text|time|boolean|hex|0 to 3) \| .+ \| .+ \|$", TEXT, re.MULTILINE)
        for name in re.findall("[a-z_]+", cell)
    }

    assert described == set(SingleIn.__struct_fields__)


def test_every_address_of_the_administration_is_described() -> None:
    patterns = {re.sub(r"<[^>]*?([a-z]+)>", r"{\1}", path).replace("{number}", "{id}") for path, _ in admin.ADDRESSES.values()}
    rows = re.findall(r"^\| (`/.+`) \| (?:`[A-Z]+` ?)+ \|", TEXT, flags=re.MULTILINE)
    described = set()
    for cell in rows:
        first = ""
        for path in re.findall("`([^`]+)`", cell):
            described.add(path.replace("…", first.rpartition("/")[0]))
            first = first or path

    assert described == patterns


@pytest.mark.parametrize("word", [*legacy.ACTIONS, *vendor_json.ACTIONS, *FOLDERS, *legacy.PATHS, legacy.STATUS_OPTION])
def test_every_word_of_the_dialects_is_described(word: str) -> None:
    assert word in TEXT


def call(gateway: Any, line: str) -> Any:
    """Do what a line with curl does: `-G`, `-d`, `--data-urlencode`, `-H`, `-u` and an address."""
    words = iter(shlex.split(line.replace("$KEY", gateway.key()).replace("$ADMIN", gateway.key("boss", "admin")))[1:])
    address, fields, headers, in_query = "", [], {}, False
    for word in words:
        if word == "-G":
            in_query = True
        elif word in ("-d", "--data-urlencode"):
            name, _, value = (given := next(words)).partition("=")
            fields.append(f"{name}={quote(value, safe='')}" if word != "-d" else given)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-u":
            headers["Authorization"] = "Basic " + base64.b64encode(next(words).encode()).decode()
        else:
            address = word
    parts = urlsplit(address)
    query = "&".join(filter(None, [parts.query, *(fields if in_query else [])]))
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    content = None if in_query or not fields else "&".join(fields).encode()
    return gateway.client.open(parts.path, method="POST" if content else "GET", query_string=query, data=content, headers=headers)


def test_the_examples_work(gateway: Any) -> None:
    gateway.user("boss", role="administrator", credit="0")

    answers = [call(gateway, line) for line in EXAMPLES]

    assert [answer.status_code for answer in answers] == [202, 200, 200, 200, 200, 201, *[200] * 7]
    assert not [answer.text for answer in answers if "errorcode" in answer.text or "ErrorCode" in answer.text]
    assert len(gateway.messages()) == 5
