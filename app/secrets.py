"""Secret settings at rest: encrypted with a key that lies apart from the database and from the session key."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.config import read_or_make_key

MARK = "enc:"
"""Beginning of every stored secret."""

KEY_PREFIX = "pw_"


class CannotDecrypt(Exception):
    """A stored secret was written with a key that `settings.key` does not have. Restore the key file, or enter the secret again."""


class Vault:
    """Encrypts and decrypts. The key file holds one key a line, the newest first.

    It is read again when it has changed: keys are rotated while processes run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        read_or_make_key(path, Fernet.generate_key().decode())
        self._load()

    def _load(self) -> None:
        self._seen = self._signature()
        keys = self._path.read_text(encoding="ascii").split()
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def _signature(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_ino, status.st_mtime_ns

    def _present(self) -> MultiFernet:
        """Return the keys of this moment; those in memory where the file cannot be asked."""
        with suppress(OSError):
            if self._signature() != self._seen:
                self._load()
        return self._fernet

    def encrypt(self, plain: str) -> str:
        """Return the stored form of a secret; an empty one stays empty."""
        return MARK + self._present().encrypt(plain.encode()).decode() if plain else ""

    def decrypt(self, stored: str) -> str:
        """Return the secret. Raises: CannotDecrypt."""
        if not stored:
            return ""
        try:
            return self._present().decrypt(stored.removeprefix(MARK).encode()).decode()
        except InvalidToken as error:
            raise CannotDecrypt(f"A secret cannot be read with {self._path}. Restore the key file, or enter the secret again.") from error

    def add_key(self) -> None:
        """Put a fresh key before the others; from now on secrets are written with it."""
        keys = [Fernet.generate_key().decode(), *self._path.read_text(encoding="ascii").split()]
        self._write(keys)

    def rotate(self, stored: str) -> str:
        """Return the stored form under the newest key. Raises: CannotDecrypt."""
        return self.encrypt(self.decrypt(stored))

    def drop_old_keys(self) -> None:
        """Keep the newest key only; call it when everything is written with it."""
        self._write(self._path.read_text(encoding="ascii").split()[:1])

    def _write(self, keys: list[str]) -> None:
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self._load()


def digest(token: str) -> str:
    """Return the SHA-256 of a random token, as it is stored. Not for passwords: those can be guessed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def make_api_key() -> str:
    """Return a fresh API key: 192 random bits behind a prefix that scanners for leaked keys can look for."""
    return KEY_PREFIX + secrets.token_urlsafe(24)
