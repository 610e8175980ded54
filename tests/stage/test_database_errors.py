"""What the database says when a statement fails must not carry what the statement was to write."""

from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from app.models import User


def test_an_error_does_not_repeat_the_values(world: Any) -> None:
    world.user("anna")
    row = {"username": "anna", "password_hash": "a secret", "created_at": world.now}

    with pytest.raises(IntegrityError) as caught, world.core.database.write() as session:
        session.execute(insert(User), [row])

    assert "a secret" not in str(caught.value)
