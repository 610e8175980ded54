"""Price lists as CSV: what a line says, and what is wrong with it."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from pennywire_tariff.moments import to_us
from pennywire_tariff.parsing import CannotRead, Form, Line, NetworkLine, parse, parse_networks


def read(text: str | bytes, **form: Any) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    return list(parse(io.BytesIO(data), Form(**form)))


def line(text: str, **form: Any) -> Any:
    (found,) = read("prefix;mcc;mnc;price;effective;end;name\n" + text, **form)
    return found


def test_a_line_says_everything() -> None:
    found = line("+36 20;;;0.0605;2026-04-01;2026-04-30;Yettel")

    since, until = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    assert found == Line(2, "3620", "", "", 60_500, to_us(since), to_us(until), "Yettel")


@pytest.mark.parametrize(
    "text",
    [
        "prefix;price\n3620;0.5\n",
        "price,prefix\n0.5,3620\n",
        "Rate\tDial Code\n0.5\t3620\n",
        "3620;0.5",
        "+3620,0.5",
        "\r\n\r\nprefix|price\r\n\r\n3620|0.5\r\n\r\n",
        '"prefix";"price"\n"3620";"0.5"\n',
        "\ufeffprefix;price\n3620;0.5\n",
    ],
)
def test_delimiter_heading_and_mark_are_found(text: str) -> None:
    ((_line, prefix, _mcc, _mnc, price_uc, *_rest),) = read(text)

    assert (prefix, price_uc) == ("3620", 500_000)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("*;;;1;;;", "default"),
        ("default;;;1;;;", "default"),
        (";216;30;1;;;", "216-30"),
        (";216;*;1;;;", "216"),
        (";216;;1;;;", "216"),
        (";310;004;1;;;", "310-004"),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert line(text).key == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("36;;;-0.1;;;", "negative"),
        ("36;;;;;;", "missing"),
        ("36;;;1,5;;;", "not an amount"),
        ("36;;;1e3;;;", "not an amount"),
        ("36;;;NaN;;;", "not an amount"),
        ("36;;;0.0000001;;;", "not an amount"),
        ("36;;;\uff11;;;", "not an amount"),
        ("36;;;99999999;;;", "larger than"),
        ("06;;;1;;;", "not a prefix"),
        ("3a;;;1;;;", "not a prefix"),
        ("1234567890123456;;;1;;;", "not a prefix"),
        ("36;216;;1;;;", "a prefix and a network"),
        (";;;1;;;", "neither a prefix nor a network"),
        (";1;;1;;;", "not an MCC"),
        (";216;1;1;;;", "not an MNC"),
        ("36;;;1;1.4.2026;;", "no effective date"),
        ("36;;;1;;2026-02-30;", "no end date"),
        ("36;;;1;2026-04-02;2026-04-01;", "before it begins"),
        ("36;;;1;;;a\x07b", "cannot be printed"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_its_number(text: str, reason: str) -> None:
    number, words = line(text)

    assert number == 2
    assert reason in words


def test_a_list_for_incoming_messages_may_pay() -> None:
    assert line("36;;;-0.1;;;", negative_allowed=True).price_uc == -100_000


def test_a_comma_before_decimals_is_taken_where_it_is_said() -> None:
    assert line("36;;;0,035;;;", decimal=",").price_uc == 35_000
    assert "behind a comma" in line("36;;;1.035;;;", decimal=",")[1]


def test_a_day_as_end_is_included_and_a_moment_is_not() -> None:
    day, moment = line("36;;;1;;2026-12-31;"), line("36;;;1;;2026-12-31T00:00+01:00;")

    assert day.end_us == to_us(datetime(2027, 1, 1, tzinfo=UTC))
    assert moment.end_us == to_us(datetime(2026, 12, 30, 23, tzinfo=UTC))


def test_windows_1252_is_read_where_it_is_asked_for() -> None:
    text = "prefix;price;name\n36;1;Magyarország\n43;2;Österreich\n".encode("cp1252")

    guessed, asked = read(text), read(text, encoding="windows-1252")

    assert [number for number, _words in guessed] == [2, 3]
    assert "not written in UTF-8" in guessed[0][1]
    assert [item.name for item in asked] == ["Magyarország", "Österreich"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        ("prefix;price\n36;1\n".encode("utf-16"), "UTF-16"),
        (b"land;value\nHungary;1\n", "names no column"),
        (b"prefix;name\n36;x\n", "A column price is needed"),
        (b'prefix;price\n36;"1\n', "quotation mark"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason):
        read(text)


def test_a_table_of_networks() -> None:
    file = io.BytesIO(b"prefix,mcc,mnc,name\n3620,216,01,Yettel\n36,216,,Hungary\n0620,216,01,x\n3630,16,30,x\n")

    first, second, third, fourth = parse_networks(file, Form())

    assert first == NetworkLine(2, "3620", "216", "01", "Yettel")
    assert second == NetworkLine(3, "36", "216", "", "Hungary")
    assert "not a prefix" in third[1]
    assert "not an MCC" in fourth[1]


def test_what_nobody_reads_may_hold_what_it_likes() -> None:
    ((_line, prefix, *_rest),) = read("prefix;price;remark\n\u00a03620\u00a0;0.5;a\x07b\n")

    assert prefix == "3620"


def test_a_line_may_be_shorter_than_its_heading() -> None:
    ((_line, prefix, _mcc, _mnc, price_uc, since, until, name),) = read("prefix;price;effective;end;name\n3620;0.5\n")

    assert (prefix, price_uc, since, until, name) == ("3620", 500_000, None, None, "")


def test_the_same_day_is_a_beginning_and_an_end() -> None:
    """What was read once is remembered; as an end the day is another moment than as a beginning."""
    one, other = read("prefix;price;effective;end\n3620;0.5;2026-04-01;\n3630;0.5;;2026-04-01\n")

    assert one.effective_us == to_us(datetime(2026, 4, 1, tzinfo=UTC))
    assert other.end_us == to_us(datetime(2026, 4, 2, tzinfo=UTC))
