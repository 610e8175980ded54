"""Segments of customers that wait for the rest of their message."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "smpp_parts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("username", sa.String(length=16), nullable=False),
        sa.Column("series", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=65), nullable=False),
        sa.Column("destination", sa.String(length=65), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("segment_index", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("fate", sa.String(length=13), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_smpp_part", "smpp_parts", ["series", "segment_index"], unique=True)
    op.create_index("ix_smpp_part", "smpp_parts", ["username", "fate", "received_at"])
