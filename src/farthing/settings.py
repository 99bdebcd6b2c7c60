"""What can be set, section by section; each setting has a default, and says what it is for."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from farthing.config_lines import place
from farthing.errors import Malformed
from farthing.money import Asset, parse_price


def _told(meaning: str, **bounds: Any) -> Any:
    return msgspec.Meta(description=meaning, **bounds)


_WEB_URL = r"^(https?://[^\x00-\x20\x7f/?#]+[^\x00-\x20\x7f?#]*)?$"

SOME_ACCOUNT = "acc_01m8as21r3mdmtv1ecdc75xsr0"
"""An account's id as an example of one."""

_PRICE_PARTS = 2

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Names of this machine that no other machine is reached by."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the hub listens, and how it is reached."""

    host: Annotated[str, _told("the address to listen on")] = "127.0.0.1"
    port: Annotated[int, _told("the port to listen on", ge=0, le=65535)] = 8402
    public_url: Annotated[
        str,
        _told(
            "how others reach the hub: https://hub.example",
            pattern=_WEB_URL,
            examples=["https://hub.example"],
        ),
    ] = ""
    tls_cert: Annotated[str, _told("a certificate chain (PEM); needs `tls_key`")] = ""
    tls_key: Annotated[str, _told("its private key (PEM)")] = ""
    trusted_proxies: Annotated[
        list[str], _told("addresses or networks of proxies in front that speak TLS")
    ] = []
    body_bytes_max: Annotated[int, _told("the largest body that is read", ge=1024)] = 262_144
    connections_max: Annotated[int, _told("how many may be connected at once", ge=1)] = 4096
    workers: Annotated[
        int, _told("how many processes serve, each with limits of its own", ge=1, le=16)
    ] = 1

    def url(self) -> str:
        """Give the URL that the hub is reached at."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"{scheme}://{host}:{self.port}"


class BooksSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine keeps the books."""

    engine: Annotated[
        Literal["sqlite", "postgresql", "tigerbeetle"], _told("what keeps the books")
    ] = "sqlite"
    path: Annotated[str, _told("SQLite's file; with TigerBeetle, that of the records")] = (
        "farthing.db"
    )
    dsn: Annotated[
        str,
        _told("PostgreSQL's connection string; with TigerBeetle, where the records are if given"),
    ] = ""
    addresses: Annotated[
        str,
        _told(
            "TigerBeetle's replicas in their order: 10.0.0.1:3000,10.0.0.2:3000,10.0.0.3:3000",
            examples=["127.0.0.1:3000"],
        ),
    ] = ""
    cluster: Annotated[
        str,
        _told(
            "the number that TigerBeetle's cluster was made with",
            pattern="^[0-9]{1,39}$",
            examples=["0"],
        ),
    ] = "0"
    own_process: Annotated[
        Literal["auto", "always", "never"],
        _told(
            "whether a process beside the hub's own writes the books, with SQLite; `auto`: where"
            " the hub may use two processors"
        ),
    ] = "auto"

    @property
    def in_file(self) -> bool:
        """Whether this machine has a file of them, which one process writes."""
        return self.engine == "sqlite" or (self.engine == "tigerbeetle" and not self.dsn)


class AuditSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second place where heads are kept."""

    heads_path: Annotated[str, _told("the file of heads; best on another disk than the books")] = (
        "heads.log"
    )


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the log is written."""

    format: Annotated[Literal["json", "text"], _told("how a line is written")] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], _told("the least that is written")
    ] = "info"
    events: Annotated[bool, _told("a line for every event")] = True


class PaymentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of payments."""

    hold_seconds_max: Annotated[int, _told("the longest hold", ge=1, le=86_400)] = 86_400
    challenge_seconds: Annotated[
        int, _told("how long a challenge is good for", ge=10, le=3_600)
    ] = 300


class KeysSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys under a passphrase: see docs/howto/protect-keys.md."""

    passphrase_file: Annotated[
        str, _told("a file with the passphrase of the hub's keys, for its owner's eyes only")
    ] = ""


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often the API may be asked, and how much clients may take at once.

    Over them the answer is 429 where one client has its share, 503 where all together have
    everything. This machine and trusted proxies are held to the whole alone.
    """

    address_per_second: Annotated[
        int, _told("requests without a key from one address, on average; 0: no limit", ge=0)
    ] = 1000
    address_burst: Annotated[int, _told("and at once", ge=1)] = 5000
    key_per_second: Annotated[
        int, _told("requests with one API key, or signed by one device, on average", ge=0)
    ] = 5000
    key_burst: Annotated[int, _told("and at once", ge=1)] = 20_000
    failures_per_minute: Annotated[
        int, _told("proofs that do not hold (keys, signatures, codes) from one address", ge=0)
    ] = 60
    connections_per_address: Annotated[int, _told("connections from one address", ge=1)] = 1024
    requests_bytes_max: Annotated[
        int, _told("bytes of requests in memory, of all clients together", ge=1_048_576)
    ] = 67_108_864
    answers_bytes_max: Annotated[
        int, _told("bytes of answers that wait to be read, of all together", ge=1_048_576)
    ] = 67_108_864
    socket_message_bytes_max: Annotated[
        int, _told("a message of a WebSocket behind `farthing proxy`", ge=1024, le=16_777_216)
    ] = 262_144
    stall_seconds: Annotated[
        int, _told("how long a client may neither send nor read what is due", ge=1, le=3_600)
    ] = 30
    streams_max: Annotated[int, _told("event streams and exports at once", ge=1)] = 1000
    streams_per_owner: Annotated[int, _told("and of one owner", ge=1)] = 100
    streams_per_address: Annotated[int, _told("and to one address", ge=1)] = 200


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics without a key. With one they are at `/metrics`: scope `metrics`, or the operator."""

    listen: Annotated[
        str, _told("also show them at an address of this machine: 127.0.0.1:9402")
    ] = ""


class TracingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traces by OpenTelemetry; needs `farthing[otel]`."""

    endpoint: Annotated[
        str, _told("where to send them (OTLP over HTTP): http://127.0.0.1:4318/v1/traces")
    ] = ""
    percent: Annotated[
        int, _told("how many of the traces that begin here are drawn", ge=0, le=100)
    ] = 100


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where events may be sent, and how long an endpoint is waited for."""

    allow_networks: Annotated[
        list[str],
        _told("networks of your own that webhooks may be sent to, also over plain HTTP"),
    ] = []
    timeout_seconds: Annotated[
        int, _told("how long one try may take, its answer included", ge=1, le=60)
    ] = 10
    off_after_hours: Annotated[
        int, _told("a webhook to which nothing got through for so long is turned off", ge=1)
    ] = 120


class NoticeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How people are told what happens: see docs/howto/be-told.md."""

    push: Annotated[bool, _told("whether browsers that ask for it get pushes")] = True
    email_host: Annotated[
        str, _told("the server that mail is handed in at; empty: nobody is told by mail")
    ] = ""
    email_port: Annotated[int, _told("its port", ge=1, le=65535)] = 587
    email_security: Annotated[
        Literal["starttls", "tls", "none"],
        _told("how the connection is secured; `none` for this machine alone"),
    ] = "starttls"
    email_user: Annotated[str, _told("the name to sign in with there; empty: none")] = ""
    email_password_file: Annotated[
        str, _told("a file with its password, for its owner's eyes only")
    ] = ""
    email_from: Annotated[
        str, _told("whom mail comes from: hub@hub.example", examples=["hub@hub.example"])
    ] = "farthing@localhost"
    sms_host: Annotated[
        str, _told("the message centre (SMPP) that text messages are handed in at; empty: none")
    ] = ""
    sms_port: Annotated[int, _told("its port", ge=1, le=65535)] = 2775
    sms_security: Annotated[
        Literal["tls", "none"],
        _told("how the connection is secured; `none` for this machine, or a network of your own"),
    ] = "tls"
    sms_user: Annotated[str, _told("the name to sign in with there (`system_id`)")] = ""
    sms_password_file: Annotated[
        str, _told("a file with its password, for its owner's eyes only")
    ] = ""
    sms_from: Annotated[
        str,
        _told("whom text messages come from", pattern="^[A-Za-z0-9 ]{1,11}$", examples=["Hub"]),
    ] = "Farthing"
    webhooks: Annotated[
        bool, _told("whether people may be told at a URL of their own, by signed messages")
    ] = True
    apprise_schemes: Annotated[
        list[str],
        _told("services of Apprise that people may be told by, such as tgram; none unless named"),
    ] = []
    allow_networks: Annotated[
        list[str],
        _told("networks of your own that pushes and people's webhooks may be sent to"),
    ] = []


class RiskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Judging orders before they are authorised: see docs/explanation/risk.md."""

    mode: Annotated[
        Literal["off", "shadow", "on"],
        _told(
            "whether orders are judged; in `shadow` what is odd is recorded and stops nothing, `on`"
            " the owner is asked or the order refused"
        ),
    ] = "shadow"
    four_eyes: Annotated[
        bool, _told("whether a case is decided only once two people have said the same of it")
    ] = False
    devices_max: Annotated[
        int, _told("of how many devices habits are remembered", ge=1, le=10_000_000)
    ] = 20_000
    payees_max: Annotated[int, _told("and of how many payees", ge=1, le=10_000_000)] = 20_000
    rules: Annotated[dict[str, Any], _told("settings of rules, a table for each")] = {}
    own: Annotated[
        dict[str, Any], _told("rules of your own, a table for each; needs farthing[rules]")
    ] = {}
    typologies: Annotated[dict[str, Any], _told("patterns of misuse, a table for each")] = {}


class RailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What moves money in and out."""

    simulated: Annotated[
        bool, _told("a rail that moves no money: for trying things, never beside real ones")
    ] = False


class FeeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the hub takes of payments in one asset: see docs/howto/take-a-fee.md."""

    account: Annotated[
        str,
        _told(
            "the account that gets it: acc_…",
            pattern=r"^acc_[0-9a-z]{26}$",
            examples=[SOME_ACCOUNT],
        ),
    ]
    ppm: Annotated[
        int, _told("a share of what is captured, in millionths: 10000 is 1 %", ge=0, le=1_000_000)
    ] = 0
    flat: Annotated[str, _told("an amount that is added to the share: 0.0001 USD")] = ""
    minimum: Annotated[str, _told("the least that is taken of anything captured")] = ""
    rounding: Annotated[
        Literal["down", "up", "half-even"], _told("how the share is rounded, once")
    ] = "down"
    on_refund: Annotated[
        Literal["return", "keep"], _told("what becomes of it when a payment is refunded")
    ] = "return"


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People who sign in to the pages: see docs/howto/open-your-wallet.md."""

    passkey_above: Annotated[
        list[str],
        _told(
            "approvals of more than this are confirmed with a passkey each; of an asset that is"
            " not named, all are"
        ),
    ] = msgspec.field(default_factory=lambda: ["20 USD", "20 EUR"])


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in by an organisation: see docs/howto/sign-in-with-your-organisation.md."""

    issuer: Annotated[
        str,
        _told(
            "the organisation's OpenID provider, exactly as it names itself; empty: none",
            examples=["https://login.example.com"],
        ),
    ] = ""
    client_id: Annotated[str, _told("what it knows this hub by")] = ""
    client_secret_file: Annotated[
        str, _told("a file with the hub's secret there, for its owner's eyes only; empty: none")
    ] = ""
    name: Annotated[str, _told("what the organisation is called where one signs in")] = ""
    scopes: Annotated[str, _told("what is asked for; `openid` is among it")] = (
        "openid profile email"
    )
    owner: Annotated[
        str, _told("the owner whose people it may bring; empty: it brings nobody that is not known")
    ] = ""
    domains: Annotated[
        list[str], _told("bring only who has a verified mail address of one of these domains")
    ] = []
    groups_claim: Annotated[str, _told("the claim that lists somebody's groups")] = "groups"
    roles: Annotated[
        dict[str, Literal["owner", "operator", "ward"]],
        _told("groups and the roles that they give; who is in none of them is not brought"),
    ] = {}
    session_hours: Annotated[
        int, _told("for how long somebody is signed in by it at most", ge=1, le=336)
    ] = 12
    allow_networks: Annotated[
        list[str], _told("networks of your own in which the provider may be")
    ] = []


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set; every setting has a default that works.

    Shape: `folder` and `file` are where it was read from; the file may not exist.
    """

    server: Server = Server()
    books: BooksSettings = BooksSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    payments: PaymentSettings = PaymentSettings()
    keys: KeysSettings = KeysSettings()
    limits: LimitSettings = LimitSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    people: PeopleSettings = PeopleSettings()
    oidc: OidcSettings = OidcSettings()
    webhooks: WebhookSettings = WebhookSettings()
    notices: NoticeSettings = NoticeSettings()
    risk: RiskSettings = RiskSettings()
    rails: RailSettings = RailSettings()
    assets: dict[str, int] = msgspec.field(default_factory=lambda: {"USD": 6, "EUR": 6})
    fees: dict[str, FeeSettings] = {}
    folder: str = ""
    file: str = ""

    def path(self, name: str) -> Path:
        """Give a path of the configuration, relative to the hub's folder."""
        return Path(self.folder) / name

    def asset_table(self) -> dict[str, Asset]:
        """Give the configured assets by code."""
        return {code: Asset(code, scale) for code, scale in self.assets.items()}

    def place(self, section: str, key: str) -> str:
        """Say where a setting stands."""
        return place(Path(self.file), section, key) if self.file else f"[{section}] {key}"

    def fee_units(self, code: str) -> tuple[int, int]:
        """Give the flat part and the minimum of an asset's fee, in smallest units.

        Raises: Malformed for an asset that is not configured, and for another one's amount.
        """
        assets, fee = self.asset_table(), self.fees[code]
        if code not in assets:
            raise Malformed("unknown-asset", f"{code} is not in [assets]")
        return _units(fee.flat, code, assets), _units(fee.minimum, code, assets)

    def passkey_limits(self) -> dict[str, int]:
        """Give the largest approvals without a passkey of their own, in smallest units by asset.

        Raises: Malformed.
        """
        assets, limits = self.asset_table(), dict[str, int]()
        for text in self.people.passkey_above:
            if text.rpartition(" ")[2] in assets or len(text.split(" ")) != _PRICE_PARTS:
                limit = parse_price(text, assets)
                limits[limit.asset.code] = limit.units
        return limits

    def check_values(self) -> None:
        """Check what types alone do not say.

        Raises: Malformed.
        """
        self.asset_table()
        check_networks("webhooks", self.webhooks.allow_networks)
        check_networks("notices", self.notices.allow_networks)
        check_networks("oidc", self.oidc.allow_networks)
        self._check_oidc()
        self._check_mail()
        for code in self.fees:
            self.fee_units(code)
        self.passkey_limits()

    def _check_oidc(self) -> None:
        told = self.oidc
        if bool(told.issuer) != bool(told.client_id):
            raise Malformed("oidc-incomplete", "[oidc] issuer and client_id belong together")
        if (told.roles or told.domains) and not told.owner:
            raise Malformed("oidc-incomplete", "[oidc] owner says whose people they become")
        if told.owner and not (told.roles or told.domains):
            raise Malformed("oidc-incomplete", "[oidc] domains or roles say who is let in")
        if "openid" not in told.scopes.split():
            raise Malformed("oidc-incomplete", "[oidc] scopes has openid among it")

    def _check_mail(self) -> None:
        notices = self.notices
        if notices.email_security == "none" and notices.email_host not in ("", *LOOPBACK):
            detail = '[notices] email_security = "none" is for a server on this machine'
            raise Malformed("mail-unsecured", detail)


def check_networks(section: str, networks: Sequence[str]) -> None:
    """Refuse what is no network. Raises: Malformed `malformed-network`."""
    for text in networks:
        try:
            ip_network(text)
        except ValueError as fault:
            raise Malformed("malformed-network", f"[{section}] {fault}") from None


def _units(text: str, code: str, assets: Mapping[str, Asset]) -> int:
    if not text:
        return 0
    amount = parse_price(text, assets)
    if amount.asset.code != code:
        raise Malformed("malformed-price", f"a fee in {code} cannot have an amount of {text!r}")
    return amount.units


SECTIONS = {
    "server": Server,
    "books": BooksSettings,
    "audit": AuditSettings,
    "log": LogSettings,
    "payments": PaymentSettings,
    "keys": KeysSettings,
    "limits": LimitSettings,
    "metrics": MetricsSettings,
    "tracing": TracingSettings,
    "people": PeopleSettings,
    "oidc": OidcSettings,
    "webhooks": WebhookSettings,
    "notices": NoticeSettings,
    "risk": RiskSettings,
    "rails": RailSettings,
}
