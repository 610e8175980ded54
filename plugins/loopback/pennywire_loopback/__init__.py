"""A connector that needs no network: it accepts what it is given and reports it delivered.

For a first try, for demonstrations and for measuring the gateway without a peer. Destinations choose what happens to them by
how they end, so that every state of a message can be seen without a handset.
"""

from pennywire import hookimpl
from pennywire_loopback.connector import LoopbackConnector

PENNYWIRE_API = 1


@hookimpl
def register_connectors() -> list[type[LoopbackConnector]]:
    return [LoopbackConnector]
