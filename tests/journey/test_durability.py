"""What was answered is on disk: the order of system calls, as the kernel saw them."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from callers import Caller
from esmes import Esme
from processes import Gateway, Smsc, listens, say, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(180)]

SUBMISSIONS = 60
INCOMING = 20

ACCEPTED = b"HTTP/1.1 202"
READ = b"HTTP/1.1 200"
#: command_id of an MO's PDU and of a customer's, and of our answers to them. Source: SMPP v3.4 §5.1.2.1.
DELIVER_SM = b"\x00\x00\x00\x05"
DELIVER_SM_RESP = b"\x80\x00\x00\x05"
SUBMIT_SM = b"\x00\x00\x00\x04"
SUBMIT_SM_RESP = b"\x80\x00\x00\x04"


@dataclass(frozen=True)
class Call:
    """A system call. A sync counts when it has returned, octets that leave count when they are handed over."""

    name: str
    thread: int
    file: str
    octets: bytes

    @property
    def is_sync(self) -> bool:
        """Say whether SQLite's log was synced."""
        return self.name in ("fdatasync", "fsync") and self.file.endswith("-wal")

    @property
    def leaves(self) -> bool:
        return self.name in ("sendto", "sendmsg", "write", "writev") and self.file.startswith(("TCP:", "socket:"))


# -xx writes paths and octets alike as \x2f.
_CALL = re.compile(r'^(\d+) +(\w+)\(\d+<([^>]*)>[^"]*(?:"((?:\\x[0-9a-f]{2})*)")?')
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.* = 0")


def _read_trace(path: Path) -> list[Call]:
    """Read what strace wrote, in the order in which calls began; a sync stands where it ended."""
    calls: list[Call] = []
    syncing: dict[int, Call] = {}
    for line in path.read_text().splitlines():
        if resumed := _RESUMED.match(line):
            if begun := syncing.pop(int(resumed[1]), None):
                calls.append(begun)
        elif found := _CALL.match(line):
            call = Call(found[2], int(found[1]), _plain(found[3]).decode(), _plain(found[4] or ""))
            if call.is_sync and "unfinished" in line:
                syncing[call.thread] = call
            elif not call.is_sync or line.endswith("= 0"):
                calls.append(call)
    return calls


def _plain(shown: str) -> bytes:
    """Return what is shown in hex; the address of a socket partly is."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), shown.encode())


@pytest.fixture
def strace(tmp_path: Path) -> tuple[Path, Sequence[str]]:
    """The file of a trace, and the words that begin it."""
    path = tmp_path / "trace"
    # -D: the tracer stays aside, and the program is our child.
    words = ["strace", "-D", "-f", "-qq", "-y", "-xx", "-s", "64", "-o", str(path)]
    words += ["-e", "trace=fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,read"]
    if shutil.which("strace") is None or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no strace, or it may not trace here: on Debian, apt-get install strace")
    return path, words


def test_a_submission_is_synced_before_its_answer_leaves(sqlite_gateway: Gateway, strace: tuple[Path, Sequence[str]]) -> None:
    """Promise 1. Requests that only read are in between: they sync nothing, so the proof can fail."""
    gateway, (path, words) = sqlite_gateway, strace
    gateway.start_web(prefix=words)
    gateway.cli("connection", "add", "wire", "--kind", "loopback")
    gateway.cli("route", "add", "outbound", "all", "--to", "wire", "--cost", "1")
    anna = gateway.add_customer("anna")
    caller = Caller(gateway.address)
    for index in range(SUBMISSIONS):
        body = json.dumps({"destination": f"+3620{index:07}", "text": "durable"}).encode()
        assert caller.request("POST", "/api/v1/messages", body=body, headers=anna.bearer).status == 202
        assert caller.request("GET", "/api/v1/account", headers=anna.bearer).status == 200
    caller.close()
    gateway.close()

    calls = _read_trace(path)
    since = 0
    synced = {ACCEPTED: 0, READ: 0}
    for position, call in enumerate(calls):
        kind = call.octets[: len(ACCEPTED)]
        if call.leaves and kind in synced:
            synced[kind] += any(other.is_sync and other.thread == call.thread for other in calls[since:position])
            since = position
    say("durability", synced_before_the_answer=f"{synced[ACCEPTED]}/{SUBMISSIONS}", syncs_of_reads=synced[READ])
    assert synced == {ACCEPTED: SUBMISSIONS, READ: 0}


def test_an_incoming_message_is_synced_before_it_is_acknowledged(
    sqlite_gateway: Gateway, smsc: Callable[..., Smsc], strace: tuple[Path, Sequence[str]]
) -> None:
    """Promise 10: between the deliver_sm and our answer to it, the log is synced."""
    gateway, (path, words) = sqlite_gateway, strace
    gateway.cli("migrate")
    peer = smsc()
    gateway.add_connection("smsc", peer)
    gateway.spawn("engine", prefix=words)
    until(lambda: gateway.connection().state == "up", within_s=60, what="the connection is bound")
    for index in range(INCOMING):
        peer.mo(f"number {index}", source="+36201112233", destination="12345")
        until(lambda: peer.stats()["mo_stored"] > index, what="it is acknowledged")  # noqa: B023  # It is called here.
    gateway.close()

    left, synced = _synced_between(_read_trace(path), DELIVER_SM, DELIVER_SM_RESP)
    say("durability", incoming_synced_before_the_answer=f"{synced}/{INCOMING}")
    assert (left, synced) == (INCOMING, INCOMING)


def test_a_submission_by_smpp_is_synced_before_its_answer_leaves(sqlite_gateway: Gateway, strace: tuple[Path, Sequence[str]]) -> None:
    """One at a time, so that no other submission's sync stands in between."""
    gateway, (path, words) = sqlite_gateway, strace
    gateway.cli("migrate")
    gateway.cli("connection", "add", "wire", "--kind", "loopback")
    gateway.cli("route", "add", "outbound", "all", "--to", "wire", "--cost", "1")
    gateway.add_customer("anna")
    port = gateway.serve_smpp("anna", "secret12")
    gateway.spawn("engine", prefix=words)
    until(lambda: listens(port), within_s=60, what="the SMPP server listens")
    esme = Esme(port, "anna", "secret12")
    for index in range(SUBMISSIONS):
        esme.submit(f"+3620{index:07}")
        assert [status for _, status, _ in esme.answers(1)] == [0]
    esme.close()
    gateway.close()

    left, synced = _synced_between(_read_trace(path), SUBMIT_SM, SUBMIT_SM_RESP)
    say("durability", submissions_by_smpp_synced_before_the_answer=f"{synced}/{SUBMISSIONS}")
    assert (left, synced) == (SUBMISSIONS, SUBMISSIONS)


def _synced_between(calls: Sequence[Call], request: bytes, response: bytes) -> tuple[int, int]:
    """Return how many PDUs with the command_id `response` left, and before how many of them the log was synced since their request."""
    came = [position for position, call in enumerate(calls) if call.name in ("recvfrom", "read") and call.octets[4:8] == request]
    left = [position for position, call in enumerate(calls) if call.leaves and call.octets[4:8] == response]
    return len(left), sum(any(call.is_sync for call in calls[begin:end]) for begin, end in zip(came, left, strict=True))
