"""All settings together, and what their types alone do not say."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from farthing.config_lines import place
from farthing.errors import Malformed
from farthing.money import Asset, parse_price
from farthing.settings.books import AuditSettings, BooksSettings, KeysSettings, PaymentSettings
from farthing.settings.money import FeeSettings, RailSettings
from farthing.settings.people import OidcSettings, PeopleSettings
from farthing.settings.risk import RiskSettings
from farthing.settings.serving import (
    LimitSettings,
    LogSettings,
    MetricsSettings,
    Server,
    TracingSettings,
)
from farthing.settings.telling import NoticeSettings, WebhookSettings

_PRICE_PARTS = 2

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Names of this machine that no other machine is reached by."""


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
        self._check_place()
        check_networks("webhooks", self.webhooks.allow_networks)
        check_networks("notices", self.notices.allow_networks)
        check_networks("oidc", self.oidc.allow_networks)
        self._check_oidc()
        self._check_mail()
        for code in self.fees:
            self.fee_units(code)
        self.passkey_limits()

    def _check_place(self) -> None:
        try:
            _ = urlsplit(self.server.public_url).port
        except ValueError as fault:
            raise Malformed("malformed-url", f"[server] public_url: {fault}") from None
        for section, path in (("books", self.books.path), ("audit", self.audit.heads_path)):
            if not path.isprintable() or not Path(path).name:
                raise Malformed("config-invalid", f"[{section}] {path!r} names no file")

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
