"""The TLS context of a connection."""

import os
import ssl
import tempfile

from pennywire_smpp.settings import SmppSettings


def make_context(settings: SmppSettings) -> ssl.SSLContext | None:
    """Return the context that the settings ask for, or None without TLS.

    Certificates are verified unless the operator says otherwise; with a private CA, only against that.
    Raises: ssl.SSLError, ValueError for certificates or keys that cannot be read.
    """
    if not settings.tls:
        return None
    context = ssl.create_default_context(cadata=settings.tls_ca or None)
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.tls_client_certificate:
        load_certificate(context, settings.tls_client_certificate, settings.tls_client_key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load certificate and key, which Python's ssl takes from a file only; it is for the owner's eyes and goes at once.

    Raises: ssl.SSLError, ValueError.
    """
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{certificate}\n{key}\n")
        context.load_cert_chain(path)
    finally:
        os.unlink(path)  # noqa: PTH108  # The descriptor is of `os` too.
