"""The real processes, on a fresh data folder and a fresh database."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import Gateway, Smsc, running_smsc


@pytest.fixture
def gateway(database_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway to be started, on SQLite and on PostgreSQL. No process of it may be left at the end."""
    yield from _ended(Gateway(tmp_path / "data", database_url))


@pytest.fixture
def sqlite_gateway(sqlite_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway on SQLite, to be started."""
    yield from _ended(Gateway(tmp_path / "data", sqlite_url))


@pytest.fixture
def postgres_gateway(postgres_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway on PostgreSQL, to be started. A test that takes it carries the mark `postgres`."""
    yield from _ended(Gateway(tmp_path / "data", postgres_url))


def _ended(gateway: Gateway) -> Iterator[Gateway]:
    try:
        yield gateway
    finally:
        gateway.close()


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[Callable[..., Smsc]]:
    """Start SMSC simulators: `smsc("--latency-ms", "50")`."""
    with ExitStack() as stack:
        yield lambda *options, name="smsc": stack.enter_context(running_smsc(tmp_path / name, *options))
