"""Arrays as text: what PostgreSQL reads is what was written."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, LargeBinary, String, Text

from app.arrays import array_text
from app.db import Instant


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        (BigInteger(), [1, None, -(2**63)], "{1,NULL,-9223372036854775808}"),
        (BigInteger(), [], "{}"),
        (Boolean(), [True, False], "{True,False}"),
        (Text(), ["plain", "", "NULL", "{a,b}", 'say "so"', "back\\slash", "line\nend"], None),
        (String(8), ["a", None], '{"a",NULL}'),
        (LargeBinary(), [b"\x00\xff", b""], '{"\\\\x00ff","\\\\x"}'),
        (JSON(), [{"a": 'b"c'}, None], '{"{\\"a\\":\\"b\\\\\\"c\\"}",NULL}'),
        (Instant(), [datetime(2026, 11, 23, 19, 0, tzinfo=UTC)], '{"2026-11-23T19:00:00+00:00"}'),
    ],
)
def test_values_become_the_text_of_an_array(kind: Any, values: list[Any], text: str | None) -> None:
    expected = '{"plain","","NULL","{a,b}","say \\"so\\"","back\\\\slash","line\nend"}' if text is None else text

    assert array_text(values, kind) == expected
