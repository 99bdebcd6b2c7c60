"""What TLS we speak where we speak it ourselves: 1.2 and newer, forward secrecy, AEAD only.

The server's own defaults are not enough: they have changed between its versions, and some of them
offered TLS 1.2 with ciphers that authenticate by SHA-1 or do not encrypt.

Source: RFC 9325 (recommendations for TLS); docs/howto/tls-and-reverse-proxies.md.
"""

import ssl
from pathlib import Path

from farthing.bounded import read_file
from farthing.errors import BadConfig

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Those of TLS 1.2; TLS 1.3 has none that would have to be left out."""

_OPEN_TO_OTHERS = 0o027


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Make what a server needs to speak TLS with this certificate chain and key.

    Raises: BadConfig `tls-unusable`, `tls-key-open-to-others`.
    """
    for file in (certificate, key):
        try:
            read_file(Path(file))
        except OSError as fault:
            raise BadConfig("tls-unusable", f"{file}: {fault.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as fault:
        detail = f"{certificate} and {key} are no certificate and its key: {fault.reason or fault}"
        raise BadConfig("tls-unusable", detail) from None
    # A group may read it: that is how a system shares certificates among its services.
    if Path(key).stat().st_mode & _OPEN_TO_OTHERS:
        raise BadConfig("tls-key-open-to-others", f"{key} can be read by others: chmod 640 {key}")
    return context


def _no_passphrase() -> str:
    """Answer instead of the terminal, which a service does not have.

    Raises: BadConfig `tls-unusable`.
    """
    raise BadConfig("tls-unusable", "the key is under a passphrase; give one that is not")
