"""An index for the folders of all users together."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_message_folder_of_all", "messages", ["folder", "id"], unique=False)
