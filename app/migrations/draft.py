"""Write the operations that lead from the migrations to the models: `python -m app.migrations.draft > versions/….py`.

It is a draft: look through it, give the file its number and its name, and run the tests, which compare both ways of making a
database. What stands outside the models (`app.schema`: columns of one database only, first rows) is added by hand.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateIndexOp, CreateTableOp, ModifyTableOps, UpgradeOps
from alembic.runtime.migration import MigrationContext

from app import migrations
from app.db import Instant, make_engine
from app.models import Base
from app.models.base import Id, Json

_NAMED = {"ID": Id, "JSON": Json}

_HEAD = '''"""{title}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = {below}

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
'''


def draft(revision: str, title: str) -> str:
    """Return the text of the next migration; its `upgrade` is `pass` where nothing differs."""
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite+pysqlite:///{Path(folder) / 'draft.sqlite3'}")
        migrations.upgrade(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": migrations.VERSION_TABLE, "compare_type": True, "render_item": _render}
            )
            below = context.get_current_revision()
            operations = produce_migrations(context, Base.metadata).upgrade_ops
            assert operations is not None
            _add_expression_indexes(operations)
            body = render_python_code(operations, migration_context=context, render_item=_render)
        engine.dispose()
    head = _HEAD.format(title=title, revision=revision, below=f'"{below}"' if below else "None")
    return head + "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("#")) + "\n"


def _add_expression_indexes(operations: UpgradeOps) -> None:
    """Add what the comparison leaves out: it cannot see indexes over expressions. On tables that are there, it is for the author."""
    changes = [change for group in operations.ops for change in (group.ops if isinstance(group, ModifyTableOps) else [group])]
    named = {change.index_name for change in changes if isinstance(change, CreateIndexOp)}
    new = {change.table_name for change in changes if isinstance(change, CreateTableOp)}
    for table in Base.metadata.sorted_tables:
        missing = [index for index in sorted(table.indexes, key=lambda index: str(index.name)) if index.name not in named]
        operations.ops.extend(CreateIndexOp.from_index(index) for index in missing if table.name in new)


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Give types that differ between the databases the names that stand in the file's head."""
    if kind != "type":
        return False
    if isinstance(item, Instant):
        return "INSTANT"
    for name, named in _NAMED.items():
        if repr(item) == repr(named) and item._variant_mapping:  # noqa: SLF001  # Nothing public tells a type with variants.
            return name
    return False


if __name__ == "__main__":
    sys.stdout.write(draft(*(sys.argv[1:3] or ["0000", "Title"])))
