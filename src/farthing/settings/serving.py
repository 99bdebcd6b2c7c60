"""How a hub is reached, and how much at once."""

from typing import Annotated, Literal

import msgspec

from farthing.settings.told import WEB_URL, told


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the hub listens, and how it is reached."""

    host: Annotated[str, told("the address to listen on")] = "127.0.0.1"
    port: Annotated[int, told("the port to listen on", ge=0, le=65535)] = 8402
    public_url: Annotated[
        str,
        told(
            "how others reach the hub: https://hub.example",
            pattern=WEB_URL,
            examples=["https://hub.example"],
        ),
    ] = ""
    tls_cert: Annotated[str, told("a certificate chain (PEM); needs `tls_key`")] = ""
    tls_key: Annotated[str, told("its private key (PEM)")] = ""
    trusted_proxies: Annotated[
        list[str], told("addresses or networks of proxies in front that speak TLS")
    ] = []
    body_bytes_max: Annotated[int, told("the largest body that is read", ge=1024)] = 262_144
    connections_max: Annotated[int, told("how many may be connected at once", ge=1)] = 4096
    workers: Annotated[
        int, told("how many processes serve, each with limits of its own", ge=1, le=16)
    ] = 1

    def url(self) -> str:
        """Give the URL that the hub is reached at."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"{scheme}://{host}:{self.port}"


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the log is written."""

    format: Annotated[Literal["json", "text"], told("how a line is written")] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], told("the least that is written")
    ] = "info"
    events: Annotated[bool, told("a line for every event")] = True


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often the API may be asked, and how much clients may take at once.

    Over them the answer is 429 where one client has its share, 503 where all together have
    everything. This machine and trusted proxies are held to the whole alone.
    """

    address_per_second: Annotated[
        int, told("requests without a key from one address, on average; 0: no limit", ge=0)
    ] = 1000
    address_burst: Annotated[int, told("and at once", ge=1)] = 5000
    key_per_second: Annotated[
        int, told("requests with one API key, or signed by one device, on average", ge=0)
    ] = 5000
    key_burst: Annotated[int, told("and at once", ge=1)] = 20_000
    failures_per_minute: Annotated[
        int, told("proofs that do not hold (keys, signatures, codes) from one address", ge=0)
    ] = 60
    connections_per_address: Annotated[int, told("connections from one address", ge=1)] = 1024
    requests_bytes_max: Annotated[
        int, told("bytes of requests in memory, of all clients together", ge=1_048_576)
    ] = 67_108_864
    answers_bytes_max: Annotated[
        int, told("bytes of answers that wait to be read, of all together", ge=1_048_576)
    ] = 67_108_864
    socket_message_bytes_max: Annotated[
        int, told("a message of a WebSocket behind `farthing proxy`", ge=1024, le=16_777_216)
    ] = 262_144
    stall_seconds: Annotated[
        int, told("how long a client may neither send nor read what is due", ge=1, le=3_600)
    ] = 30
    streams_max: Annotated[int, told("event streams and exports at once", ge=1)] = 1000
    streams_per_owner: Annotated[int, told("and of one owner", ge=1)] = 100
    streams_per_address: Annotated[int, told("and to one address", ge=1)] = 200


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics without a key. With one they are at `/metrics`: scope `metrics`, or the operator."""

    listen: Annotated[str, told("also show them at an address of this machine: 127.0.0.1:9402")] = (
        ""
    )


class TracingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traces by OpenTelemetry; needs `farthing[otel]`."""

    endpoint: Annotated[
        str,
        told(
            "where to send them (OTLP over HTTP): http://127.0.0.1:4318/v1/traces",
            pattern=WEB_URL,
            examples=["http://127.0.0.1:4318/v1/traces"],
        ),
    ] = ""
    percent: Annotated[
        int, told("how many of the traces that begin here are drawn", ge=0, le=100)
    ] = 100
