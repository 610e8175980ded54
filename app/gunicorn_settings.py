"""Settings of gunicorn, which serves the web process. Read by `gunicorn --config python:app.gunicorn_settings`."""

import logging
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it carries no annotations
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]  # it carries no annotations

from app import logs
from app.config import load as load_settings
from app.request_line import TolerantRequest

_SETTINGS = load_settings()

LONGEST_REQUEST_LINE = 8190
"""Octets; gunicorn's largest. A legacy GET carries its text in the address, up to 9 octets a character."""

bind = _SETTINGS.bind
workers = _SETTINGS.web_workers
threads = _SETTINGS.web_threads
worker_class = "gthread"
preload_app = False
timeout = 60
graceful_timeout = 15
keepalive = 75
backlog = 2048
limit_request_line = LONGEST_REQUEST_LINE
# Programs of the legacy dialect send lines that need mending. The other parser, where it is installed, would not let us.
http_parser = "python"
RequestParser.mesg_class = TolerantRequest
# A folder of others must not come before ours on the path: `app` is a common name.
chdir = str(Path(__file__).parents[1])
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # A heartbeat file; on a disk it would cost a sync.
control_socket_disable = True
proc_name = "pennywire-web"

# No access log by default; where somebody asks for one, it has no query: the legacy API's carry passwords.
accesslog = None
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(M)sms'

_LOG = logging.getLogger("pennywire.web")


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn carries no annotations
    """Lets gunicorn write as all our processes do. (With its own setting for that, it would log every request.)"""

    def setup(self, cfg: Any) -> None:
        logs.configure(_SETTINGS.log_level)
        super().setup(cfg)
        # What it tells of its workers' lives is for debugging; what goes wrong is more than that.
        self.error_log.setLevel(logging.WARNING)
        self.error_log.handlers = [handler for handler in self.error_log.handlers if not getattr(handler, "_gunicorn", False)]
        self.error_log.propagate = True


logger_class = JsonLogger


def when_ready(server: Any) -> None:
    """Say where the process listens."""
    _LOG.info("listening", extra={"address": ", ".join(map(str, server.LISTENERS)), "worker_count": workers, "thread_count": threads})
