"""One web process without HTTP, for tests that need several: threads that submit for one user as fast as they can.

Usage: seller.py DATA_FOLDER DATABASE_URL THREADS ATTEMPTS KEY. It says `ready`, waits for a line, sells, and prints what became of
its attempts: one word a line, the message's id or the code of the refusal. With a KEY every attempt uses it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app import plugins, routing
from app.config import Settings
from app.core import open_core
from app.intake import Intake
from app.messages import Admitted, Request
from app.refusals import RequestRefused
from pennywire import Draft


def main(data: str, database_url: str, thread_count: str, attempt_count: str, key: str) -> None:
    core = open_core(Settings(data=Path(data), database_url=database_url), plugins=plugins.load({}, builtins=[routing], entry_points=[]))
    intake = Intake(core, on_commit_failure=lambda: None)
    user = core.snapshots.present().users["anna"]

    def attempt(_: int) -> str:
        request = Request(user, (Draft("+36201234567", "one credit"),), "rest", key=key, fingerprint=key)
        try:
            (result,) = intake.submit(request).results
        except RequestRefused as error:
            return error.refused.code
        return result.public_id if isinstance(result, Admitted) else result.code

    with ThreadPoolExecutor(int(thread_count)) as pool:
        print("ready", flush=True)  # noqa: T201  # The parent reads it.
        sys.stdin.readline()
        for word in pool.map(attempt, range(int(attempt_count))):
            print(word)  # noqa: T201  # As above.


if __name__ == "__main__":
    main(*sys.argv[1:])
