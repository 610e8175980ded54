"""Versions know the job that imports them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("tariff_versions", sa.Column("job_number", sa.BigInteger(), nullable=True))
