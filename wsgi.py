"""What a WSGI server loads."""

from app.factory import create_app

application = create_app()
