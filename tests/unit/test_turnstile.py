"""Turns among writers: nobody is passed over, nobody waits for ever, and the dead hold nothing."""

import multiprocessing
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from app.turnstile import NoTurn, Turnstile


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "database")


def test_writer_without_a_break_lets_the_next_one_through(path: str) -> None:
    """Each has a turnstile of his own, as in two processes."""
    busy, patient = Turnstile(path), Turnstile(path)
    turns: list[str] = []
    running, done = threading.Event(), threading.Event()

    def write_without_a_break() -> None:
        while not done.is_set():
            with busy.turn(10):
                turns.append("busy")
                running.set()
                done.wait(0.005)

    writer = threading.Thread(target=write_without_a_break)
    writer.start()
    running.wait(10)
    waited_for = []
    for _ in range(10):
        before = len(turns)
        with patient.turn(10):
            waited_for.append(len(turns) - before)
    done.set()
    writer.join()

    assert max(waited_for) <= 2


def test_turns_exclude_each_other_among_threads_of_one_process(path: str) -> None:
    turnstile = Turnstile(path)
    inside = 0
    most = 0

    def write() -> None:
        nonlocal inside, most
        for _ in range(20):
            with turnstile.turn(10):
                inside += 1
                most = max(most, inside)
                inside -= 1

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert most == 1


def test_turn_that_does_not_come_is_given_up_and_holds_nobody_up(path: str) -> None:
    turnstile = Turnstile(path)

    with turnstile.turn(1), pytest.raises(NoTurn), turnstile.turn(0.01):
        pass

    with turnstile.turn(1):
        pass


def test_error_inside_a_turn_ends_it(path: str) -> None:
    turnstile = Turnstile(path)

    with pytest.raises(ValueError, match="inside"), turnstile.turn(1):
        raise ValueError("inside")

    with turnstile.turn(1):
        pass


def hold(path: str, said: Connection) -> None:
    with Turnstile(path).turn(10):
        said.send("held")
        said.recv()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_process_that_dies_leaves_no_lock(path: str, method: str) -> None:
    turnstile = Turnstile(path)
    with turnstile.turn(1):
        pass
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(path, there))
    process.start()
    assert here.recv() == "held"

    with pytest.raises(NoTurn), turnstile.turn(0.01):
        pass
    process.kill()
    process.join()

    with turnstile.turn(1):
        pass


def test_child_does_not_share_its_parents_turn(path: str) -> None:
    """Open files that a fork copies share their locks; the child must open its own."""
    turnstile = Turnstile(path)
    with turnstile.turn(1):
        pass
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def try_turn() -> None:
        try:
            with turnstile.turn(0.01):
                there.send("came in")
        except NoTurn:
            there.send("stayed out")

    with turnstile.turn(1):
        process = context.Process(target=try_turn)
        process.start()
        fate = here.recv()
    process.join()

    assert fate == "stayed out"
