"""The locks name everything: nothing is resolved at installation, so whatever they leave out is missing."""

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

#: The extras that the locks are made with.
EXTRAS = {"psycopg": {"binary"}, "coverage": {"toml"}}


def _locked(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    wanted = (Requirement(line.removesuffix("\\").strip()) for line in lines if "==" in line)
    return {canonicalize_name(one.name) for one in wanted if one.marker is None or one.marker.evaluate()}


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_a_lock_names_every_dependency_of_what_it_names(lock: str) -> None:
    locked = _locked(lock)
    missing = []
    for name in sorted(locked):
        for line in requires(name) or []:
            wanted = Requirement(line)
            marker = wanted.marker
            applies = marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *EXTRAS.get(name, ())})
            if applies and canonicalize_name(wanted.name) not in locked:
                missing.append(f"{name} needs {line}")

    assert len(locked) > 40
    assert missing == []
