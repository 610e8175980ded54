"""A customer's program that speaks SMPP on a plain socket and decides for itself when it reads."""

import itertools
import socket
from collections.abc import Iterator
from contextlib import suppress

from pennywire_smpp.bodies import Bind, Body, Empty, MessageResp, ShortMessage
from pennywire_smpp.pdu import Command, Pdu, decode, encode

HEAD = 16
TEXT = "Your parcel has arrived"


class Esme:
    """One bind. `receive_octets` bounds what the system keeps for it while it does not read. Raises: OSError."""

    def __init__(self, port: int, username: str, password: str, *, receive_octets: int = 0, timeout_s: float = 20.0) -> None:
        self._socket = socket.socket()
        if receive_octets:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        self._socket.settimeout(timeout_s)
        self._numbers = itertools.count(1)
        self._octets = b""
        #: Destination of each submission, by its sequence number.
        self.submitted: dict[int, str] = {}
        try:
            self._socket.connect(("127.0.0.1", port))
            self.send(Command.BIND_TRANSCEIVER, Bind(username, password))
            answer = self.read()
            if answer is None or answer.command_status:
                raise ConnectionRefusedError(f"The bind was refused: {answer}")
        except OSError:
            self._socket.close()
            raise

    def send(self, command: Command, body: Body) -> int:
        """Send a request and return its sequence number; no answer is waited for."""
        number = next(self._numbers)
        self._socket.sendall(encode(command, number, body))
        return number

    def submit(self, destination: str) -> int:
        """Submit a short text to a destination with `+`."""
        body = ShortMessage(dest_addr_ton=1, dest_addr_npi=1, destination_addr=destination[1:], short_message=TEXT.encode())
        number = self.send(Command.SUBMIT_SM, body)
        self.submitted[number] = destination
        return number

    def read(self) -> Pdu | None:
        """Return the next PDU, or nothing where the connection has ended. Raises: TimeoutError."""
        while len(self._octets) < HEAD or len(self._octets) < int.from_bytes(self._octets[:4]):
            try:
                octets = self._socket.recv(65_536)
            except ConnectionError:
                return None
            if not octets:
                return None
            self._octets += octets
        length = int.from_bytes(self._octets[:4])
        frame, self._octets = self._octets[:length], self._octets[length:]
        return decode(frame)

    def answers(self, count: int) -> Iterator[tuple[str, int, str]]:
        """Yield destination, command_status and message_id of `count` answers to submissions, or of fewer where the connection ends."""
        while count and (pdu := self.read()) is not None:
            if pdu.command_id == Command.SUBMIT_SM_RESP:
                count -= 1
                name = pdu.body.message_id if isinstance(pdu.body, MessageResp) else ""
                yield self.submitted[pdu.sequence_number], pdu.command_status, name

    def answers_at_once(self) -> None:
        """Ask whether the link lives, and return when that is answered; whatever else is said first fails the test."""
        self.send(Command.ENQUIRE_LINK, Empty())
        said = self.read()
        assert said is not None, "The gateway closed the connection."
        assert said.command_id == Command.ENQUIRE_LINK_RESP, f"{said} came before it could."

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()
