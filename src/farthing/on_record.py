"""What is put on record, or read from it, before a hub serves: assets, fees, its signing key."""

from collections.abc import Callable
from typing import Any

from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, ASSETS, AssetRecord
from farthing.core.decisions import Unit
from farthing.core.fees import HUB, FeeTerms
from farthing.core.identity import (
    CERTIFICATES,
    AcceptRollback,
    AdmitKey,
    certificate_fault,
    certify,
)
from farthing.core.records import Table
from farthing.errors import BadConfig, FarthingError
from farthing.keys import Signer
from farthing.money import Asset
from farthing.services.context import Context
from farthing.settings import Config
from farthing.store.database import Tx
from farthing.store.mapping import mapping


def settle_assets(tx: Tx, config: Config) -> dict[str, Asset]:
    """Give the assets that the hub counts, after those that are new got their ledgers.

    Raises: BadConfig `asset-scale-changed`.
    """
    known = {row.code: row for row in _all(tx, ASSETS)}
    for code, asset in config.asset_table().items():
        if code not in known:
            ledger = 1 + max((row.ledger for row in known.values()), default=0)
            known[code] = AssetRecord(code, asset.scale, ledger)
            tx.put(ASSETS, [known[code]])
        elif known[code].scale != asset.scale:
            raise BadConfig(
                "asset-scale-changed",
                f"{code} is counted at scale {known[code].scale}, and that never changes",
            )
    return config.asset_table()


def fees_in_force(tx: Tx, config: Config) -> dict[str, FeeTerms]:
    """Give what the hub takes of payments, by asset.

    Raises: BadConfig `fee-account-unknown`.
    """
    found: dict[str, FeeTerms] = {}
    for code, fee in config.fees.items():
        account = tx.fetch(ACCOUNTS, [fee.account]).get(fee.account)
        if account is None or account.asset != code:
            place = config.place(f"fees.{code}", "account")
            detail = f"{place}: there is no account {fee.account} here that counts {code}"
            raise BadConfig("fee-account-unknown", detail)
        flat, minimum = config.fee_units(code)
        found[code] = FeeTerms(
            of=HUB,
            account=fee.account,
            ppm=fee.ppm,
            flat=flat,
            minimum=minimum,
            rounding=fee.rounding,
            on_refund=fee.on_refund,
        )
    return found


def _all(tx: Tx, table: Table[Any]) -> list[Any]:
    mapped = mapping(table)
    return [mapped.row(row) for row in tx.rows(mapped.select)]


async def admit(ctx: Context, root: Callable[[], Signer], signer: Signer, lost: str | None) -> None:
    """Put a new signing key and an accepted rollback on record, in one commit: a head of the one
    without the other would pass for books that were never rolled back.

    Raises: BadConfig `root-key-away` for a new key without the root; `another-root-key`.
    """
    rows = await ctx.database.read(lambda tx: _all(tx, CERTIFICATES))
    first: list[Unit[Any]] = [AcceptRollback(lost)] if lost else []
    mine = next((row for row in rows if row.key == signer.public), None)
    if mine is None:
        mine = certify(root(), signer.public, ctx.clock() // NS - 1)
        rows.append(mine)
        first.insert(0, AdmitKey(mine))
    for row in rows:  # Also those of older keys: a new key of another hub's root fits by itself.
        wrong = certificate_fault(row, ctx.identity.root_public)
        if wrong is not None:
            raise BadConfig(
                "another-root-key", f"the certificate of {row.key} does not fit: {wrong}"
            )
    for answer in await ctx.books.commit(first):
        if isinstance(answer, FarthingError):
            raise answer
    ctx.identity.certificates.update({row.key: row for row in rows})
