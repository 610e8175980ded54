"""Receipts in the spellings that SMSCs are known for, and the forms of an id."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms import receipts
from pennywire.sms.receipts import STATES, WORDS, IdMode, ReceiptText, id_forms, normalise_id, parse
from pennywire.values import ReportState

STANDARD = "id:0123456789 sub:001 dlvrd:001 submit date:2311231539 done date:2311231540 stat:DELIVRD err:000 text:Hello"


@pytest.mark.parametrize("text", ["", "Hello", "sub:001 dlvrd:001", "text: id:1 stat:DELIVRD", "paid:5 constat:x", "id: stat:"])
def test_a_text_without_id_and_status_is_no_receipt(text: str) -> None:
    assert parse(text) is None


def test_the_form_of_the_standard() -> None:
    assert parse(STANDARD) == ReceiptText(
        id="0123456789",
        sub=1,
        dlvrd=1,
        submit_date=datetime(2023, 11, 23, 15, 39),  # noqa: DTZ001  # The zone is the operator's.
        done_date=datetime(2023, 11, 23, 15, 40),  # noqa: DTZ001
        stat="DELIVRD",
        err="000",
        text="Hello",
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("submit date:2311231539 done date:2311231540", ("2023-11-23T15:39:00", "2023-11-23T15:40:00")),
        ("submitdate:2311231539 donedate:2311231540", ("2023-11-23T15:39:00", "2023-11-23T15:40:00")),
        ("submit_date:231123153901 done_date:231123154002", ("2023-11-23T15:39:01", "2023-11-23T15:40:02")),
        ("Submit Date: 2311231539 Done Date: 2311231540", ("2023-11-23T15:39:00", "2023-11-23T15:40:00")),
        ("submit date:20231123153901 done date:202311231540", ("2023-11-23T15:39:01", "2023-11-23T15:40:00")),
        ("submit date:2402291200 done date:2302291200", ("2024-02-29T12:00:00", None)),
        ("submit date:0000000000 done date:000000000000", (None, None)),
        ("submit date:2311 done date:soon", (None, None)),
        ("submit date:2313231539 done date:2311232539", (None, None)),
        ("submit date: done date:", (None, None)),
    ],
)
def test_d4_dates_in_every_spelling_and_zeros_for_unknown(written: str, read: tuple[str | None, str | None]) -> None:
    receipt = parse(f"id:1 {written} stat:DELIVRD")

    assert receipt is not None
    assert tuple(date and date.isoformat() for date in (receipt.submit_date, receipt.done_date)) == read


@pytest.mark.parametrize(
    ("text", "stat", "state"),
    [
        ("id:1 stat:DELIVRD", "DELIVRD", ReportState.DELIVERED),
        ("id:1 stat:delivrd err:0", "DELIVRD", ReportState.DELIVERED),
        ("ID:1 STAT:Delivered ERR:000", "DELIVERED", ReportState.DELIVERED),
        ("id:1 stat:UNDELIVERABLE err:1", "UNDELIVERABLE", ReportState.UNDELIVERABLE),
        ("id:1 status:EXPIRED error:5", "EXPIRED", ReportState.EXPIRED),
        ("id:1 stat:DELIVRD to handset err:000", "DELIVRD", ReportState.DELIVERED),
        ("id:1 stat:REJECTD,err:9", "REJECTD", ReportState.REJECTED),
        ("id:1 stat: BUFFRED err:0", "BUFFRED", ReportState.ENROUTE),
        ("id:1 stat:MOONSHOT err:0", "MOONSHOT", ReportState.UNKNOWN),
        ("id:1 stat:OK", "OK", ReportState.UNKNOWN),
        ("id:1 err:0", "", ReportState.UNKNOWN),
        ("stat:EXPIRED", "EXPIRED", ReportState.EXPIRED),
    ],
)
def test_d5_status_words_of_any_length_and_case(text: str, stat: str, state: ReportState) -> None:
    receipt = parse(text)

    assert receipt is not None
    assert (receipt.stat, receipt.state) == (stat, state)


@pytest.mark.parametrize("word", STATES)
def test_status_words_are_written_in_capitals(word: str) -> None:
    assert word == word.upper()


@pytest.mark.parametrize("state", ReportState)
def test_each_state_has_a_word_of_the_standard(state: ReportState) -> None:
    assert len(WORDS[state]) == 7
    assert STATES[WORDS[state]] is state


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("  id:7  sub:1 dlvrd:0 err:00A text: two words ", {"id": "7", "sub": 1, "dlvrd": 0, "err": "00A", "text": "two words"}),
        ("stat:DELIVRD id:7", {"id": "7", "stat": "DELIVRD"}),
        ("id:7 nack:1 operator:26 stat:DELIVRD", {"id": "7", "stat": "DELIVRD"}),
        ("id:7 stat:DELIVRD text:id:8 stat:EXPIRED", {"id": "7", "stat": "DELIVRD", "text": "id:8 stat:EXPIRED"}),
        ("id:7 id:8 stat:DELIVRD", {"id": "7"}),
        ("id:7 sub:abc dlvrd: err: text:", {"sub": None, "dlvrd": None, "err": "", "text": ""}),
        ("id:7\r\nstat:DELIVRD\r\ntext:a\nb", {"id": "7", "stat": "DELIVRD", "text": "a\nb"}),
        ('id:"7" stat:DELIVRD;', {"id": "7", "stat": "DELIVRD"}),
        ("id=7 stat=DELIVRD", {"id": "7", "stat": "DELIVRD"}),
        ("id:0118Z-0122I-2309U-57DGB stat:DELIVRD", {"id": "0118Z-0122I-2309U-57DGB"}),
    ],
)
def test_d2_d5_fields_are_found_among_strange_words(text: str, fields: dict[str, object]) -> None:
    receipt = parse(text)

    assert {name: getattr(receipt, name) for name in fields} == fields


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_no_receipt(text: str) -> None:
    assert parse(text) is None or text
    assert parse("id:1 " + text) is not None


def test_what_is_missing_is_written_as_zeros() -> None:
    written = receipts.format(ReceiptText(id="7", stat="UNDELIV", text="x" * 30))

    expected = "id:7 sub:001 dlvrd:000 submit date:0000000000 done date:0000000000 stat:UNDELIV err:000 text:" + "x" * 20
    assert written == expected


def test_a_delivered_segment_counts_as_delivered() -> None:
    assert " dlvrd:001 " in receipts.format(ReceiptText(id="7", stat="DELIVRD"))


minutes = st.datetimes(datetime(2000, 1, 1, 1), datetime(2068, 12, 31)).map(lambda date: date.replace(second=0, microsecond=0))  # noqa: DTZ001
words = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", min_size=1, max_size=12)


@given(
    st.builds(
        ReceiptText,
        id=words,
        sub=st.integers(0, 999),
        dlvrd=st.integers(0, 999),
        submit_date=minutes,
        done_date=minutes,
        stat=words,
        err=words,
        text=st.text("abc:é ", max_size=20).map(str.strip),
    )
)
def test_parsing_undoes_formatting(receipt: ReceiptText) -> None:
    assert parse(receipts.format(receipt)) == receipt


@pytest.mark.parametrize(
    ("network_id", "mode", "forms"),
    [
        ("5f878c79", "auto", ("5f878c79", "1602718841")),
        ("5F878C79", "auto", ("5f878c79", "1602718841")),
        ("005f878c79", "auto", ("5f878c79", "1602718841")),
        ("1602718841", "auto", ("1602718841", "5f878c79", "94530275393")),
        ("0001602718841", "auto", ("1602718841", "5f878c79", "94530275393")),
        ("5F878C79", "hex_to_decimal", ("1602718841",)),
        ("1602718841", "decimal_to_hex", ("5f878c79",)),
        ("05F878C79", "as_is", ("5f878c79",)),
        ("10", "hex_to_decimal", ("16",)),
        ("5f878c79", "decimal_to_hex", ("5f878c79",)),  # Not decimal: it stays.
        ("7", "auto", ("7",)),
        ("000", "auto", ("0",)),
        (" 42\x00", "as_is", ("42",)),
        ("", "auto", ()),
    ],
)
def test_d1_forms_of_an_id(network_id: str, mode: IdMode, forms: tuple[str, ...]) -> None:
    assert id_forms(network_id, mode) == forms


@pytest.mark.parametrize("mode", ["auto", "as_is", "hex_to_decimal", "decimal_to_hex"])
@pytest.mark.parametrize(
    "network_id", ["0118Z-0122I-2309U-57DGB", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "aBc_" * 16, "f" * 65, "9" * 5000]
)
def test_d2_other_ids_stay_as_they_are(network_id: str, mode: IdMode) -> None:
    assert id_forms(network_id, mode) == (network_id,)


@given(number=st.integers(0, 2**64), width=st.integers(0, 20))
def test_d1_hexadecimal_and_decimal_ids_meet(number: int, width: int) -> None:
    """Whatever way an SMSC writes the number at submission and in the receipt, `auto` finds it."""
    spellings = [f"{number:x}", f"{number:X}", f"{number:0{width}x}", str(number), f"{number:0{width}d}"]

    for stored in spellings:
        assert all(normalise_id(stored) in id_forms(received) for received in spellings if received != stored)


@given(st.text(max_size=80))
def test_forms_never_raise_and_start_with_the_stored_form(network_id: str) -> None:
    forms = id_forms(network_id)

    assert forms[:1] == ((normalise_id(network_id),) if normalise_id(network_id) else ())
    assert len(set(forms)) == len(forms) <= 3
