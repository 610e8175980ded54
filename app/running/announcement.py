"""What is said when the gateway is ready: to people on the terminal, to scripts in a file."""

import json
import os
import secrets
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

EXAMPLE_DESTINATION = "+36201234567"
EXAMPLE_TEXT = "Hello from Pennywire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Where the gateway is and how to get in. Empty where there is nothing to tell: an administrator exists, no demo."""

    address: str
    setup_link: str = ""
    username: str = ""
    password: str = ""
    api_key: str = ""

    def write(self, path: Path) -> None:
        """Write the file as a whole or not at all, readable by its owner alone."""
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def in_words(self) -> str:
        """Return the lines for the terminal."""
        lines = ["", "Pennywire is ready.", "", f"  Address       {self.address}"]
        if self.setup_link:
            lines += [f"  Set-up link   {self.setup_link}", "                (makes the administrator; works once, for 24 hours)"]
        if self.username:
            lines += [f"  Demo user     {self.username}", f"  Password      {self.password}", f"  API key       {self.api_key}"]
            lines += ["", "  Send a message, as a legacy system does:", "", f"    {self.legacy_example()}"]
            lines += ["", "  Or as a modern one:", "", f"    {self.modern_example()}"]
        return "\n".join([*lines, "", "  Ctrl-C stops it.", ""])

    def legacy_example(self) -> str:
        """Return a line for a shell that sends a message by the legacy GET."""
        query = urlencode(
            {
                "action": "sendmessage",
                "username": self.username,
                "password": self.password,
                "recipient": EXAMPLE_DESTINATION,
                "messagetype": "SMS:TEXT",
                "messagedata": EXAMPLE_TEXT,
            },
            safe=":",
        )
        return shlex.join(["curl", f"{self.address}/api?{query}"])

    def modern_example(self) -> str:
        """Return a line for a shell that sends a message by the JSON API."""
        body = json.dumps({"destination": EXAMPLE_DESTINATION, "text": EXAMPLE_TEXT})
        headers = ["-H", f"Authorization: Bearer {self.api_key}", "-H", "Content-Type: application/json"]
        return shlex.join(["curl", *headers, "-d", body, f"{self.address}/api/v1/messages"])
