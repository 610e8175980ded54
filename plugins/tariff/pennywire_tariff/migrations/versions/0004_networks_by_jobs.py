"""Tables of networks know the job that imports them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("tariff_maps", sa.Column("job_number", sa.BigInteger(), nullable=True))
