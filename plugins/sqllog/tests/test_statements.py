"""The operator's own statements: keywords of both generations, bound and never pasted in."""

import pytest
from pennywire_sqllog.events import KEYWORDS, SYNONYMS
from pennywire_sqllog.statements import InvalidStatement, compile_statement
from sqlalchemy import create_engine


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("INSERT INTO t VALUES ($msgtext)", "There is no keyword $msgtext. Known: $username, "),
        ("INSERT INTO t VALUES ('Message $msgid')", "$msgid stands inside a longer text in quotes"),
        ("DELETE FROM t; DROP TABLE t", "more than one statement"),
        ("INSERT INTO t VALUES ('open", "The quote that begins at 'open is never closed"),
        ('INSERT INTO "t VALUES ($msgid)', "is never closed"),
    ],
)
def test_a_statement_that_cannot_work_is_refused_with_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(InvalidStatement) as error:
        compile_statement(sql)

    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("sql", "keywords"),
    [
        ("INSERT INTO t VALUES ('$msgid', $SENDER, '$originator');", ("msgid", "sender")),
        ("-- $nothing\nUPDATE t SET a = '12:30 :x', b = '$5', c = $msgid /* $nothing ' */", ("msgid",)),
        ('UPDATE "$t" SET `$u` = 1', ()),
    ],
)
def test_keywords_are_found_where_they_stand_alone(sql: str, keywords: tuple[str, ...]) -> None:
    statement = compile_statement(sql)

    assert statement is not None
    assert statement.keywords == keywords


@pytest.mark.parametrize("sql", ["", "  \n", "-- only a comment", ";"])
def test_an_empty_statement_is_none(sql: str) -> None:
    assert compile_statement(sql) is None


def test_what_is_not_a_keyword_reaches_the_database_as_it_was_written() -> None:
    statement = compile_statement(r"SELECT 'it''s 12:30 :word \: 100%', '$5', $msgid")
    assert statement is not None

    with create_engine("sqlite://").connect() as connection:
        row = connection.execute(statement.clause, {"msgid": "'; DROP TABLE t; --"}).one()

    assert tuple(row) == (r"it's 12:30 :word \: 100%", "$5", "'; DROP TABLE t; --")


def test_each_synonym_means_a_keyword() -> None:
    assert set(SYNONYMS.values()) <= set(KEYWORDS)
    assert not set(SYNONYMS) & set(KEYWORDS)
