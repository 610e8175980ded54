"""Values that plugins keep under keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "plugin_values",
        sa.Column("plugin", sa.String(64), nullable=False),
        sa.Column("connection_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plugin", "connection_id", "key"),
    )
    op.create_index("ix_plugin_value_connection", "plugin_values", ["connection_id"], unique=False)
