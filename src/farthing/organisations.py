"""What asks an organisation's OpenID provider, put together from the configuration."""

from collections.abc import Sequence

from farthing.config import Config
from farthing.errors import BadConfig, Malformed
from farthing.notifiers.outside import Networks, Outside, check_url
from farthing.secret_files import read_secret
from farthing.services.context import Context
from farthing.services.id_tokens import load
from farthing.services.organisation import Organisation
from farthing.services.provider import ANSWER_BYTES_MAX, Heard, Provider

_SECONDS = 10.0


def organisation_of(config: Config, ctx: Context, secrets: Sequence[bytes]) -> Organisation | None:
    """Give what people sign in by at their organisation; None where the operator has set up none.

    Raises: BadConfig; PlugMissing `oidc-missing`.
    """
    told = config.oidc
    if not told.issuer:
        return None
    load()
    networks = Networks(told.allow_networks)
    try:
        check_url(told.issuer, networks)
    except Malformed as fault:
        where = config.place("oidc", "issuer")
        raise BadConfig("config-invalid", f"{where}: {fault.detail}") from None
    outside = Outside(networks, _SECONDS)

    async def ask(method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Heard:
        return Heard(*await outside.ask(method, url, headers, body, ANSWER_BYTES_MAX))

    provider = Provider(told.issuer, told.client_id, _secret(config), ask, ctx.clock)
    return Organisation(ctx, told, provider, secrets, outside.close)


def _secret(config: Config) -> str:
    name = config.oidc.client_secret_file
    if not name:
        return ""
    file = config.path(name)
    if not file.exists():
        where = config.place("oidc", "client_secret_file")
        raise BadConfig("config-invalid", f"{where}: there is no {file}")
    return read_secret(file).decode("utf-8", "strict").strip()
