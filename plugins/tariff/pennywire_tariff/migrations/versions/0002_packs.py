"""Versions packed as octets, for processes that read a large list."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("tariff_versions", sa.Column("edit_count", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "tariff_packs",
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("edit_count", sa.Integer(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["tariff_versions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("version_id"),
    )
