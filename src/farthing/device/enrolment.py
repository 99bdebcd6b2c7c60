"""Enrolment and key rotation: the device makes its keys, the hub learns their public halves.

Keys are on disk before the hub hears of them, so a lost answer costs nothing: the same call again
sends the same key.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from farthing import keys
from farthing.codec import to_base64url
from farthing.core.devices import enrolment_bytes, rotation_bytes
from farthing.device.hub_calls import ask_hub, look_at_hub, must_text, text_of
from farthing.device.purse import (
    SCALES,
    Membership,
    Purse,
    check_membership,
    device_passphrase,
    is_purse,
    key_path,
    open_purse,
    save_membership,
)
from farthing.errors import Conflict, Malformed
from farthing.money import Asset, parse_price
from farthing.sealing import Passphrase
from farthing.secret_files import is_sealed, sync_folder


async def enrol(
    path: Path,
    hub_url: str,
    code: str,
    *,
    algorithm: str = keys.ED25519,
    name: str = "",
    largest: str = "",
    hub: str = "",
    plain_http: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
) -> Purse:
    """Enrol a new device with a one-time code, and keep its purse in `path`.

    Shape:  `largest` is the largest payment it will sign, such as `"0.05 USD"`; with `hub`, a
            hub of another id is refused, and does not see the code.
    Raises: Conflict `purse-exists`; Malformed; Forbidden with the hub's code; Unavailable.
    """
    if is_purse(path):
        raise Conflict("purse-exists", f"{path} is a purse already; choose another folder")
    base, passphrase = hub_url.rstrip("/"), device_passphrase()
    async with httpx.AsyncClient(transport=transport, verify=verify) as http:
        # A code is good once: whatever can be wrong is looked at before it is sent.
        known = await _who_is_there(http, base, plain_http=plain_http)
        _check_wanted(known, base, hub, largest)
        signer = _kept_key(key_path(path), algorithm, passphrase, passphrase.told())
        proof = to_base64url(signer.sign(enrolment_bytes(code, signer.public)))
        body = {"code": code, "public_key": signer.public, "signature": proof}
        answer = await ask_hub(http, base + "/v1/devices/enrol", body, plain_http=plain_http)
    membership = check_membership(_membership(answer, base, name, largest))
    if membership.root_key != known.root_key:
        raise Malformed("another-hub", f"{base} answered as two hubs, one after the other")
    save_membership(path, membership)
    return open_purse(path, passphrase)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a hub says of itself: its id, its root key, and its assets by code."""

    hub: str
    root_key: str
    assets: dict[str, Asset]


async def _who_is_there(http: httpx.AsyncClient, base: str, *, plain_http: bool) -> _Known:
    told = await look_at_hub(http, base + "/.well-known/farthing", plain_http=plain_http)
    scales = _scales({text_of(one, "code"): one.get("scale") for one in _listed(told)})
    assets = {code: Asset(code, scale) for code, scale in scales.items()}
    known = _Known(must_text(told, "hub"), must_text(told, "root_key"), assets)
    if keys.fingerprint(keys.check_public_key(known.root_key)) != known.hub:
        raise Malformed("hub-id-mismatch", "the hub's id does not follow from its root key")
    return known


def _listed(told: dict[str, Any]) -> list[dict[str, Any]]:
    listed = told.get("assets")
    kept = cast(list[Any], listed) if isinstance(listed, list) else []
    return [cast(dict[str, Any], one) for one in kept if isinstance(one, dict)]


def _check_wanted(known: _Known, base: str, hub: str, largest: str) -> None:
    if hub and known.hub != hub:
        raise Malformed("another-hub", f"{base} is the hub {known.hub}, not {hub}")
    if largest:
        parse_price(largest, known.assets)


async def rotate(
    path: Path,
    *,
    plain_http: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
) -> Purse:
    """Give a device a new key, signed by its old one; the new key replaces the old on disk.

    Raises: Malformed; Forbidden with the hub's code; Unavailable.
    """
    passphrase = device_passphrase()
    purse = open_purse(path, passphrase)
    old = key_path(path)
    new = old.with_suffix(".next")
    sealed = passphrase() if is_sealed(old) else None
    signer = _kept_key(new, purse.signer.public.partition(":")[0], passphrase, sealed)
    message = rotation_bytes(purse.device, signer.public)
    body = {
        "public_key": signer.public,
        "signature_new": to_base64url(signer.sign(message)),
        "signature_old": to_base64url(purse.signer.sign(message)),
    }
    async with httpx.AsyncClient(transport=transport, verify=verify) as http:
        url = f"{purse.hub_url}/v1/devices/{purse.device}/rotate"
        await ask_hub(http, url, body, plain_http=plain_http)
    new.replace(old)
    sync_folder(path)
    return open_purse(path, passphrase)


def _kept_key(
    path: Path, algorithm: str, passphrase: Passphrase, seal_with: bytes | None
) -> keys.Signer:
    if path.exists():
        kept = keys.read_key_file(path, passphrase)
        if kept.public.partition(":")[0] != algorithm:
            raise Conflict(
                "another-key-kept",
                f"{path} is of an earlier try, and not {algorithm}; "
                "use the same algorithm, or another folder",
            )
        return kept
    signer = keys.new_signer(algorithm)
    keys.write_key_file(path, signer, seal_with)
    return signer


def _membership(answer: dict[str, Any], hub_url: str, name: str, largest: str) -> Membership:
    return Membership(
        device=must_text(answer, "device"),
        hub=must_text(answer, "hub"),
        hub_url=hub_url,
        root_key=must_text(answer, "root_key"),
        account=text_of(answer, "account"),
        mandate=text_of(answer, "mandate"),
        name=name,
        max=largest,
        assets=_scales(answer.get("assets")),
    )


def _scales(told: object) -> dict[str, int]:
    if not isinstance(told, dict):
        return dict(SCALES)
    pairs = cast(dict[str, Any], told).items()
    return {code: scale for code, scale in pairs if type(scale) is int and 0 <= scale <= 18}
