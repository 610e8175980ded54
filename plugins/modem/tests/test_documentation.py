"""The page for operators says of every error what the table of errors says."""

import re
from pathlib import Path

import pytest
from pennywire_modem.errors import Fate, read_failure

PAGE = (Path(__file__).parents[3] / "docs/gsm-modem.md").read_text()
ROWS = re.findall(r"^\| (CM[SE]) ([0-9]+) \| (.+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
WORDS = {
    Fate.PERMANENT: "final",
    Fate.TEMPORARY: "another provider may try",
    Fate.THROTTLE: "the link rests",
    Fate.UNTRIED: "back to the queue",
    Fate.IN_DOUBT: "in doubt",
}


@pytest.mark.parametrize("kind", ["CMS", "CME"])
def test_every_error_is_documented_with_its_words_and_what_follows(kind: str) -> None:
    known = {number: read_failure(f"+{kind} ERROR: {number}") for number in range(1000)}
    unknown = read_failure(f"+{kind} ERROR: 9999").words

    written = {int(number): (words, follows) for row_kind, number, words, follows in ROWS if row_kind == kind}

    assert written == {number: (failure.words, WORDS[failure.fate]) for number, failure in known.items() if failure.words != unknown}
