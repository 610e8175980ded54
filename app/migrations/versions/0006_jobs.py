"""Jobs that engines do, and the files that come with them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table('jobs',
    sa.Column('id', ID, autoincrement=True, nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('payload', JSON, nullable=False),
    sa.Column('done_count', sa.BigInteger(), nullable=False),
    sa.Column('total_count', sa.BigInteger(), nullable=False),
    sa.Column('result', JSON, nullable=True),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('username', sa.String(length=64), nullable=False),
    sa.Column('cancelling', sa.Boolean(), nullable=False),
    sa.Column('begun_count', sa.SmallInteger(), nullable=False),
    sa.Column('engine_id', sa.String(length=32), nullable=False),
    sa.Column('token', sa.BigInteger(), nullable=False),
    sa.Column('lease_until', INSTANT, nullable=True),
    sa.Column('created_at', INSTANT, nullable=False),
    sa.Column('started_at', INSTANT, nullable=True),
    sa.Column('finished_at', INSTANT, nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_job_state', 'jobs', ['state', 'id'], unique=False)
    op.create_table('job_files',
    sa.Column('job_id', ID, autoincrement=False, nullable=False),
    sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('octets', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'position')
    )
