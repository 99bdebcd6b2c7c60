"""What can be set, section by section; each setting has a default, and says what it is for."""

from farthing.settings.books import AuditSettings, BooksSettings, KeysSettings, PaymentSettings
from farthing.settings.config import LOOPBACK, SECTIONS, Config, check_networks
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
from farthing.settings.told import SOME_ACCOUNT

__all__ = [
    "LOOPBACK",
    "SECTIONS",
    "SOME_ACCOUNT",
    "AuditSettings",
    "BooksSettings",
    "Config",
    "FeeSettings",
    "KeysSettings",
    "LimitSettings",
    "LogSettings",
    "MetricsSettings",
    "NoticeSettings",
    "OidcSettings",
    "PaymentSettings",
    "PeopleSettings",
    "RailSettings",
    "RiskSettings",
    "Server",
    "TracingSettings",
    "WebhookSettings",
    "check_networks",
]
