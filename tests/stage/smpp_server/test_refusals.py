"""Every refusal of the gateway has its command_status, and `docs/smpp-server.md` says which."""

import re
from pathlib import Path

import pytest
from pennywire_smpp import statuses
from pennywire_smpp.server.refusals import ESME_RSUBMITFAIL, STATUS_OF, status_of

from app.refusals import REFUSALS

TEXT = (Path(__file__).parents[3] / "docs/smpp-server.md").read_text(encoding="utf-8")

#: What a request by HTTP alone can do wrong, and what is not answered at all.
ELSEWHERE = {"legacy_api_off", "unknown_action", "malformed_body", "body_too_large", "method_not_allowed", "unknown_outcome"}


def test_every_refusal_has_a_status_or_cannot_come() -> None:
    assert STATUS_OF.keys() == REFUSALS.keys() - ELSEWHERE


def test_the_table_of_the_documentation_is_the_codes() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| (ESME_\w+) \((0x[0-9A-F]+)\)", TEXT, flags=re.MULTILINE)
    described = {code: int(number, 16) for codes, _, number in rows for code in re.findall("[a-z_]+", codes)}

    assert described == STATUS_OF
    assert {int(number, 16): name for _, name, number in rows} == {
        number: statuses.find_status(number).name for number in set(STATUS_OF.values())
    }


@pytest.mark.parametrize("code", sorted(ELSEWHERE))
def test_what_is_not_in_the_table_fails_the_submission(code: str) -> None:
    assert status_of(code) == ESME_RSUBMITFAIL
