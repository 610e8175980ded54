"""A user's folders: pages, downloads, marking, deleting, finding."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from app import mailbox
from app.identifiers import public_id
from app.lifecycle import Folder
from app.models import Message
from pennywire import Incoming, Rejected, Report, ReportState

World = Any


@pytest.fixture
def line(world: World) -> Any:
    """Two users, a connection, routes for both directions; what comes in is anna's."""
    world.user(credit="100")
    world.user("ben", credit="100")
    connection = world.connection()
    world.route()
    world.route("in", ("anna",), inward=True)
    return connection


def user_id(world: World, name: str = "anna") -> int:
    number: int = world.core.snapshots.present().user(name).id
    return number


def receive(world: World, line: Any, *texts: str) -> None:
    world.receive(line, *(Incoming("+36209999999", "+36201111111", text) for text in texts))


def texts(messages: list[Message]) -> list[str]:
    return [message.text for message in messages]


def page(world: World, **values: Any) -> list[Message]:
    values.setdefault("user_ids", [user_id(world)])
    with world.core.database.read() as session:
        return mailbox.page(session, **values)


def download(world: World, limit: int = 10, *, after: str = "leave", unread_only: bool = True, name: str = "anna") -> list[str]:
    with world.core.database.write() as session:
        found = mailbox.download(session, user_id(world, name), Folder.INBOX, limit, after=after, unread_only=unread_only, now=world.now)
        return texts(found)


@pytest.mark.usefixtures("line")
def test_pages_are_newest_first_and_follow_each_other(world: World) -> None:
    for number in range(5):
        world.send(str(number))

    first = page(world, limit=2)
    second = page(world, limit=2, before=first[-1].id)
    last = page(world, limit=2, before=second[-1].id)

    assert [texts(part) for part in (first, second, last)] == [["4", "3"], ["2", "1"], ["0"]]


@pytest.mark.usefixtures("line")
def test_a_page_has_only_the_users_that_are_asked_for(world: World) -> None:
    world.send("a")
    world.send("b", user="ben")

    assert texts(page(world)) == ["a"]
    assert texts(page(world, user_ids=[user_id(world), user_id(world, "ben")])) == ["b", "a"]
    assert texts(page(world, user_ids=None)) == ["b", "a"]
    assert page(world, user_ids=[]) == []


def test_a_page_is_filtered(world: World, line: Any) -> None:
    world.send("out", destination="+36201111111")
    world.send("other", destination="+36301111111")
    receive(world, line, "in")
    submission = world.claim(line, 1)[0]
    world.answer(line, (submission, Rejected("1", "no")))

    assert texts(page(world, folder=Folder.NOT_SENT)) == ["out"]
    assert texts(page(world, state="queued")) == ["other"]
    assert texts(page(world, direction="inbound")) == ["in"]
    assert texts(page(world, number="+3630")) == ["other"]
    assert texts(page(world, number="+36209")) == ["in"]
    assert page(world, number="%") == []


def test_a_download_gives_the_oldest_first(world: World, line: Any) -> None:
    receive(world, line, "one", "two", "three")

    assert download(world, 2) == ["one", "two"]
    assert download(world, 2) == ["one", "two"]
    assert download(world, name="ben") == []


def test_a_download_that_marks_or_deletes_gives_each_message_once(world: World, line: Any) -> None:
    receive(world, line, "one", "two", "three")

    assert download(world, 1, after="mark") == ["one"]
    assert download(world, 1, after="delete") == ["two"]
    assert download(world) == ["three"]
    assert download(world, unread_only=False) == ["one", "three"]
    assert texts(page(world, folder=Folder.DELETED)) == ["two"]


@pytest.mark.parametrize("after", ["mark", "delete"])
def test_two_programs_that_download_at_once_share_the_messages(world: World, line: Any, after: str) -> None:
    receive(world, line, *map(str, range(40)))
    got: list[str] = []

    def take_all() -> None:
        while found := download(world, 3, after=after):
            got.extend(found)

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got, key=int) == [str(number) for number in range(40)]


@pytest.mark.usefixtures("line")
def test_messages_are_found_by_public_id_and_by_reference(world: World) -> None:
    number = world.send("mine", client_reference="order-1")
    world.send("older", client_reference="twice")
    world.send("newer", client_reference="twice")
    world.send("foreign", user="ben", client_reference="order-2")
    names = [public_id(number), public_id(number).lower(), "order-1", "twice", "order-2", "", "a\x00", "nothing"]

    with world.core.database.read() as session:
        found = mailbox.find(session, user_id(world), names)
        anybodys = mailbox.find(session, None, names)

    assert {name: message.text for name, message in found.items()} == {
        public_id(number): "mine",
        public_id(number).lower(): "mine",
        "order-1": "mine",
        "twice": "newer",
    }
    assert anybodys["order-2"].text == "foreign"


@pytest.mark.usefixtures("line")
def test_a_public_id_of_another_user_is_not_found(world: World) -> None:
    number = world.send("foreign", user="ben")

    with world.core.database.read() as session:
        assert mailbox.find(session, user_id(world), [public_id(number)]) == {}


@pytest.mark.usefixtures("line")
def test_more_are_found_than_one_statement_takes(world: World) -> None:
    numbers = [world.send(str(number)) for number in range(3)]
    names = [public_id(number) for number in numbers] + [f"reference-{number}" for number in range(2 * mailbox.CHUNK)]

    with world.core.database.read() as session:
        assert len(mailbox.find(session, user_id(world), names)) == len(numbers)


def test_only_what_is_decided_is_deleted(world: World, line: Any) -> None:
    failed, waiting = world.send("failed"), world.send("waiting")
    foreign = world.send("foreign", user="ben")
    world.answer(line, (next(item for item in world.claim(line, 3) if item.text == "failed"), Rejected("1", "no")))
    receive(world, line, "in")
    incoming = world.messages("inbound")[0].id

    with world.core.database.write() as session:
        gone = mailbox.delete(session, user_id(world), [failed, waiting, foreign, incoming, 7], now=world.now)
    with world.core.database.write() as session:
        again = mailbox.delete(session, user_id(world), [failed], now=world.now)

    assert (gone, again) == ({failed, incoming}, {failed})
    assert texts(page(world, folder=Folder.DELETED)) == ["in", "failed"]
    assert world.message(waiting).folder == Folder.OUTBOX


def test_a_deleted_message_stays_deleted_when_its_report_comes(world: World, line: Any) -> None:
    number = world.send()
    world.accept(line, "n1")
    with world.core.database.write() as session:
        mailbox.delete(session, user_id(world), [number], now=world.now)

    world.report(line, Report(("n1",), ReportState.DELIVERED))

    message = world.message(number)
    assert (message.state, message.folder) == ("delivered", Folder.DELETED)


def test_the_first_mark_counts(world: World, line: Any) -> None:
    receive(world, line, "one")
    number = world.messages("inbound")[0].id
    first = world.now

    for _ in range(2):
        with world.core.database.write() as session:
            assert mailbox.mark(session, user_id(world), [number, 7], now=world.now) == {number}
        world.now += timedelta(hours=1)

    assert world.message(number).downloaded_at == first
    with world.core.database.write() as session:
        assert mailbox.mark(session, user_id(world, "ben"), [number], now=world.now) == set()
