"""Flask-SQLAlchemy over the core's own engine and tables: one connection pool, and a session that ends with the request."""

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from app.models import Base
from app.web.context import parts_of


class SharedEngine(SQLAlchemy):
    """Takes the engine that the core opened and checked, instead of making another."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:  # noqa: ARG002  # the base class's shape
        return parts_of(app).core.database.engine


db = SharedEngine(model_class=Base, add_models_to_shell=False)
"""`db.session` is for what a page shows. Changes go through `context.change`, whose transaction ends before the answer."""
