"""tshark, which we did not write, reads what we write: every command, and messages cut in every way, without a malformed mark."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pennywire_smpp.bodies import Destination, SubmitMulti
from pennywire_smpp.outbound import make_submit_sm
from pennywire_smpp.pdu import BODIES, Command, command_name, encode

from pennywire.testing import make_submissions

pytestmark = [
    pytest.mark.full,
    pytest.mark.peers,
    pytest.mark.skipif(not (shutil.which("tshark") and shutil.which("text2pcap")), reason="tshark is not installed here"),
]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
PORT = 2775
_MADE = {**BODIES, Command.SUBMIT_MULTI: lambda: SubmitMulti(destinations=(Destination(1, "36201234567"),))}


def dissect(folder: Path, frames: list[bytes]) -> list[dict[str, Any]]:
    """Return what tshark says of each frame, in a packet of its own."""
    dump = "".join(f"000000 {frame.hex(' ')}\n\n" for frame in frames)
    capture = folder / "frames.pcap"
    subprocess.run(["text2pcap", "-q", "-T", f"40000,{PORT}", "-", str(capture)], input=dump, text=True, check=True, capture_output=True)
    command = ["tshark", "-r", str(capture), "-d", f"tcp.port=={PORT},smpp", "-o", "tcp.analyze_sequence_numbers:FALSE", "-T", "json"]
    # It writes halves of surrogate pairs as they are.
    done = subprocess.run(command, encoding="utf-8", errors="replace", check=True, capture_output=True, timeout=120)
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def assert_sound(packets: list[dict[str, Any]], frames: list[bytes]) -> None:
    assert len(packets) == len(frames)
    assert ["smpp" in packet for packet in packets] == [True] * len(frames)
    assert "malformed" not in json.dumps(packets).lower()


def test_tshark_reads_every_command(tmp_path: Path) -> None:
    frames = [encode(command, number, make()) for number, (command, make) in enumerate(_MADE.items(), start=1)]

    packets = dissect(tmp_path, frames)

    assert_sound(packets, frames)
    assert [int(packet["smpp"]["smpp.sequence_number"]) for packet in packets] == list(range(1, len(frames) + 1))
    assert [int(packet["smpp"]["smpp.command_id"], 16) for packet in packets] == [int(command) for command in _MADE]
    assert command_name(int(packets[-1]["smpp"]["smpp.command_id"], 16)) == "data_sm_resp"


@pytest.mark.parametrize("long_messages", ["udh", "sar", "message_payload"])
@pytest.mark.parametrize("words", ["Hello @ {€}", "Привет 🎉 ", "x"])
def test_tshark_reads_messages_however_they_are_cut(tmp_path: Path, settings: Any, long_messages: str, words: str) -> None:
    given = settings(long_messages=long_messages, optional_parameters="0x1401 = 0a0b\nuser_message_reference = 0007")
    submissions = [*make_submissions(words), *make_submissions(words * 200, whole=long_messages == "message_payload")]
    outgoing = [make_submit_sm(one, given, now=NOW) for one in submissions]
    frames = [encode(Command.SUBMIT_SM, number, one.body, tlvs=one.tlvs) for number, one in enumerate(outgoing, start=1)]

    packets = dissect(tmp_path, frames)

    assert_sound(packets, frames)
    assert {packet["smpp"]["smpp.destination_addr"] for packet in packets} == {"36201234567"}
