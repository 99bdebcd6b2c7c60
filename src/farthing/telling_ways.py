"""The ways of telling people that the operator has set up, each with what it needs."""

from collections.abc import Callable

from farthing.clock import Clock
from farthing.errors import BadConfig
from farthing.notifiers.base import Posted, Way
from farthing.notifiers.outside import Networks, Outside
from farthing.notifiers.push import WebPush
from farthing.notifiers.webhook import PersonsWebhook
from farthing.secret_files import read_secret
from farthing.settings import Config


def ways_of(
    config: Config, clock: Clock, secret: Callable[[], bytes], contact: str
) -> dict[str, Way]:
    """Give the ways by their names, the one first that reaches people soonest.

    Shape:  `secret` is what pushes are signed by; `contact` the hub's own URL.
    Raises: PlugMissing where one needs what is not installed; BadConfig, Malformed.
    """
    ways: dict[str, Way] = {}
    if config.notices.push:
        ways["push"] = _push(config, clock, secret, contact)
    if config.notices.email_host:
        ways["email"] = _mail(config, clock)
    if config.notices.sms_host:
        ways["sms"] = _text_messages(config)
    if config.notices.webhooks:
        ways["webhook"] = _webhook(config, clock)
    if config.notices.apprise_schemes:
        ways["apprise"] = _services(config)
    return ways


def _push(config: Config, clock: Clock, secret: Callable[[], bytes], contact: str) -> Way:
    told = config.notices
    networks = Networks(told.allow_networks)
    outside = Later(lambda: Outside(networks))
    mailbox = told.email_from if told.email_host else ""
    whom = f"mailto:{mailbox}" if mailbox else contact
    return WebPush(outside.post, networks, secret, whom, clock, outside.close)


def _webhook(config: Config, clock: Clock) -> Way:
    networks = Networks(config.notices.allow_networks)
    outside = Later(lambda: Outside(networks))
    return PersonsWebhook(outside.post, networks, clock, outside.close)


def _text_messages(config: Config) -> Way:
    from farthing.notifiers.sms import Centre, TextMessages  # noqa: PLC0415 - where it is wanted

    told = config.notices
    password = _password(config, "sms_password_file", told.sms_password_file)
    secured = told.sms_security == "tls"
    centre = Centre(
        told.sms_host, told.sms_port, told.sms_user, password, told.sms_from, tls=secured
    )
    return TextMessages(centre)


def _services(config: Config) -> Way:
    from farthing.notifiers.apprise import Services  # noqa: PLC0415 - where it is wanted

    return Services(config.notices.apprise_schemes, Networks(config.notices.allow_networks))


class Later:
    """Posts to the outside, from when it is first wanted: most hubs push nothing."""

    def __init__(self, make: Callable[[], Outside]) -> None:
        self._make, self._made = make, list[Outside]()

    async def post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Posted:
        """Post once."""
        if not self._made:
            self._made.append(self._make())
        return await self._made[0].post(url, headers, body)

    async def close(self) -> None:
        """Let go of the connections."""
        for made in self._made:
            await made.close()


def _mail(config: Config, clock: Clock) -> Way:
    from farthing.notifiers.email import Mail, Server  # noqa: PLC0415 - where it is wanted

    told = config.notices
    password = _password(config, "email_password_file", told.email_password_file)
    server = Server(
        told.email_host,
        told.email_port,
        told.email_security,
        told.email_user,
        password,
        told.email_from,
    )
    return Mail(server, clock)


def _password(config: Config, key: str, name: str) -> str:
    if not name:
        return ""
    file = config.path(name)
    if not file.exists():
        raise BadConfig("config-invalid", f"{config.place('notices', key)}: there is no {file}")
    return read_secret(file).decode("utf-8", "strict").strip()
