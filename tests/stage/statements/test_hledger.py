"""A second tool of accountants reads our ledger and finds what we say: hledger, unmodified, where it is installed."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import exports

Books = Any
HLEDGER = shutil.which("hledger")

pytestmark = [
    pytest.mark.full,
    pytest.mark.peers,
    pytest.mark.skipif(HLEDGER is None, reason="hledger is not installed; Debian has it in the package hledger"),
]


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def ask(journal: Path, *command: str) -> subprocess.CompletedProcess[str]:
    assert HLEDGER is not None
    return subprocess.run([HLEDGER, "-f", str(journal), *command], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def journal(books: Books, tmp_path: Path) -> Path:
    """A history of every kind of movement, as it is exported."""
    books.top_up("10.000001", at(3, 2), reason='paid "in cash"; (a) | = *')
    books.end(books.charge("2", at(3, 30)), "2", "1.5", at(4, 1))
    gone = books.charge("2", at(4, 2))
    books.end(gone, "2", "2", at(4, 2))
    books.refund(gone, "2", at(4, 3))
    books.charge("3", at(4, 5))
    books.correct("-20", at(5, 1))
    database = books.world.core.database
    chosen = exports.Range(exports.horizon(database))
    with database.read() as session:
        book = exports.open_book(session, chosen)
    path = tmp_path / "ledger.journal"
    path.write_text("".join(exports.journal(database.read, book, chosen, "hledger", time_zone="UTC", made_at=at(6, 1))), encoding="utf-8")
    return path


def test_hledger_finds_nothing_wrong_and_our_sums(journal: Path) -> None:
    """It checks by itself that each entry balances, and that what customers have is what our accounts say."""
    checked = ask(journal, "check", "--strict")
    listed = ask(journal, "balance", "--output-format", "json", "--flat")

    assert (checked.returncode, checked.stderr) == (0, "")
    rows, _total = json.loads(listed.stdout)
    found: dict[str, Decimal] = {}
    for name, _, _, (amount,) in rows:
        quantity = amount["aquantity"]
        found[name.partition(":")[0]] = Decimal(quantity["decimalMantissa"]).scaleb(-quantity["decimalPlaces"])
    assert found == {"Assets": Decimal("-9.999999"), "Income": Decimal("-1.5"), "Liabilities": Decimal("11.499999")}


def test_hledger_finds_a_fault_of_one_millionth(journal: Path) -> None:
    text = journal.read_text(encoding="utf-8")
    assert "10.000001" in text
    journal.write_text(text.replace("10.000001", "10.000002"), encoding="utf-8")

    assert ask(journal, "check").returncode != 0
