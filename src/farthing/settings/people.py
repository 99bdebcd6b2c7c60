"""How people sign in, and what they need a passkey for."""

from typing import Annotated, Literal

import msgspec

from farthing.settings.told import told


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People who sign in to the pages: see docs/howto/open-your-wallet.md."""

    passkey_above: Annotated[
        list[str],
        told(
            "approvals of more than this are confirmed with a passkey each; of an asset that is"
            " not named, all are"
        ),
    ] = msgspec.field(default_factory=lambda: ["20 USD", "20 EUR"])


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in by an organisation: see docs/howto/sign-in-with-your-organisation.md."""

    issuer: Annotated[
        str,
        told(
            "the organisation's OpenID provider, exactly as it names itself; empty: none",
            examples=["https://login.example.com"],
        ),
    ] = ""
    client_id: Annotated[str, told("what it knows this hub by")] = ""
    client_secret_file: Annotated[
        str, told("a file with the hub's secret there, for its owner's eyes only; empty: none")
    ] = ""
    name: Annotated[str, told("what the organisation is called where one signs in")] = ""
    scopes: Annotated[str, told("what is asked for; `openid` is among it")] = "openid profile email"
    owner: Annotated[
        str, told("the owner whose people it may bring; empty: it brings nobody that is not known")
    ] = ""
    domains: Annotated[
        list[str], told("bring only who has a verified mail address of one of these domains")
    ] = []
    groups_claim: Annotated[str, told("the claim that lists somebody's groups")] = "groups"
    roles: Annotated[
        dict[str, Literal["owner", "operator", "ward"]],
        told("groups and the roles that they give; who is in none of them is not brought"),
    ] = {}
    session_hours: Annotated[
        int, told("for how long somebody is signed in by it at most", ge=1, le=336)
    ] = 12
    allow_networks: Annotated[
        list[str], told("networks of your own in which the provider may be")
    ] = []
