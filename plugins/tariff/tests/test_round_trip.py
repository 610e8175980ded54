"""What is exported is what an import reads, whatever the prices, dates and names."""

import io
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from pennywire_tariff.models import Entry
from pennywire_tariff.moments import of_us
from pennywire_tariff.parsing import LARGEST_PRICE_UC, LONGEST_NAME, Form, Line, parse
from pennywire_tariff.words import csv_line

BEGIN, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in (2000, 2100))

prefixes = st.from_regex(r"[1-9][0-9]{0,14}", fullmatch=True).map(lambda digits: (digits, "", ""))
networks = st.tuples(st.just(""), st.from_regex(r"[2-79][0-9]{2}", fullmatch=True), st.from_regex(r"([0-9]{2,3})?", fullmatch=True))
keys = st.one_of(prefixes, networks, st.just(("", "", "")))
moments = st.one_of(st.none(), st.integers(BEGIN, END))
spans = st.tuples(moments, moments).filter(lambda span: None in span or span[0] < span[1])
printable = st.characters(exclude_categories=("C", "Z"), include_characters=' ;,"')
names = st.text(printable, max_size=LONGEST_NAME).map(str.strip).filter(lambda name: not name.startswith(("=", "+", "-", "@")))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(keys, st.integers(0, LARGEST_PRICE_UC), spans, names), min_size=1, max_size=8))
def test_what_is_exported_is_read_as_it_was(entries: list[tuple[tuple[str, str, str], int, tuple[int | None, int | None], str]]) -> None:
    wanted = [Line(0, *key, price_uc, *span, name) for key, price_uc, span, name in entries]
    rows = [
        Entry(
            prefix=item.prefix,
            mcc=item.mcc,
            mnc=item.mnc,
            price_uc=item.price_uc,
            effective_at=None if item.effective_us is None else of_us(item.effective_us),
            end_at=None if item.end_us is None else of_us(item.end_us),
            name=item.name,
        )
        for item in wanted
    ]
    text = "prefix;mcc;mnc;price;effective;end;name\r\n" + "".join(csv_line(row) for row in rows)

    read = list(parse(io.BytesIO(text.encode()), Form()))

    assert [item._replace(line=0) if isinstance(item, Line) else item for item in read] == wanted
