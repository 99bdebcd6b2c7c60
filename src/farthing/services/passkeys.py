"""WebAuthn, by the library `webauthn`: options for a browser, and whether its answer holds.

The library is read when a person first signs in, not when the hub starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from farthing.codec import from_base64url, to_base64url
from farthing.core.people import Passkey, Person
from farthing.errors import Malformed, Unauthenticated

_MS = 1000
_ANSWER_SECONDS = 300
_CREDENTIAL_MAX = 1023
"""Bytes of a credential's id. Source: WebAuthn Level 3, section 5.1.2."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where people sign in. Shape: `origin` as a browser tells it; `rp_id` is its host."""

    origin: str
    rp_id: str


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A passkey as a browser has made it."""

    id: str
    public_key: bytes
    sign_count: int


def creation_options(
    site: Site, person: Person, challenge: bytes, known: Sequence[Passkey]
) -> dict[str, Any]:
    """Write what a browser needs to make a passkey.

    Source: WebAuthn Level 3, section 5.1.9 (options as JSON).
    """
    from webauthn.helpers.structs import (  # noqa: PLC0415
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    wanted = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415

    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name="Farthing",
        user_name=person.name,
        user_id=person.id.encode(),
        challenge=challenge,
        timeout=_ANSWER_SECONDS * _MS,
        authenticator_selection=wanted,
        exclude_credentials=_named(known),
    )
    return msgspec.json.decode(options_to_json(options))


def request_options(site: Site, challenge: bytes, known: Sequence[Passkey] = ()) -> dict[str, Any]:
    """Write what a browser needs to sign with a passkey: any of this site, or one of `known`."""
    from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415
    from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415

    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=_ANSWER_SECONDS * _MS,
        allow_credentials=_named(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return msgspec.json.decode(options_to_json(options))


def _named(known: Sequence[Passkey]) -> list[Any]:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor  # noqa: PLC0415

    return [PublicKeyCredentialDescriptor(id=from_base64url(one.id)) for one in known]


def check_creation(site: Site, challenge: bytes, answer: dict[str, Any]) -> NewCredential:
    """Check that a browser's new passkey answers this challenge, at this site, by a person.

    Raises: Unauthenticated `bad-passkey`.
    """
    from webauthn import verify_registration_response  # noqa: PLC0415

    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as fault:  # What comes here is anybody's, and the library reads all of it.
        raise _not_held() from fault
    if len(made.credential_id) > _CREDENTIAL_MAX:
        raise _not_held()
    return NewCredential(
        to_base64url(made.credential_id), made.credential_public_key, made.sign_count
    )


def check_request(site: Site, challenge: bytes, answer: dict[str, Any], passkey: Passkey) -> int:
    """Check that a passkey has signed this challenge, at this site, for a person it verified.

    Shape:  the passkey's new count of signatures.
    Raises: Unauthenticated `bad-passkey`.
    """
    from webauthn import verify_authentication_response  # noqa: PLC0415

    try:
        done = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception as fault:
        raise _not_held() from fault
    return done.new_sign_count


def credential_id(answer: dict[str, Any]) -> str:
    """Read which passkey a browser's answer says it is of.

    Raises: Malformed.
    """
    ident = answer.get("id")
    if not isinstance(ident, str) or not 0 < len(ident) <= 2 * _CREDENTIAL_MAX:
        raise Malformed("malformed-passkey", "a passkey's answer has an id")
    return ident


def _not_held() -> Unauthenticated:
    return Unauthenticated("bad-passkey", "this passkey is not known here")
