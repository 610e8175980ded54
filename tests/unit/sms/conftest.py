"""Packages of others that our tables and counts are proved against. They are for tests only; no code of ours imports them."""

import importlib
from types import ModuleType

import pytest


def _foreign(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"NOT PROVED: {name} is missing, and nothing else here knows better than our own tables. pip install {name} ({error})")


@pytest.fixture(scope="session")
def gsmcodecs() -> ModuleType:
    """The tables of 3GPP TS 23.038 as somebody else typed them in."""
    return _foreign("gsmcodecs")


@pytest.fixture(scope="session")
def smsutil() -> ModuleType:
    """Counting and cutting as somebody else understands them."""
    return _foreign("smsutil")
