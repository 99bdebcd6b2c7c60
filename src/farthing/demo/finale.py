"""After the demo: the books audited from their files, and a receipt checked offline."""

import json
from dataclasses import dataclass, field
from typing import Any

from farthing.core.receipts import receipt_fault
from farthing.demo.cast import USD
from farthing.demo.tally import Tally
from farthing.device.outcomes import Paid
from farthing.errors import Malformed
from farthing.money import Amount
from farthing.opening import key_ring, open_database, open_to_read
from farthing.services.audit import Report, audit
from farthing.services.heads import HeadsFile
from farthing.settings import Config
from farthing.threads import Threads


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a demo. Units: milliseconds; `volume` counts smallest units."""

    payments: int
    refused: dict[str, int]
    volume: int
    p50_ms: float
    p99_ms: float
    audit: str
    receipt_verified: bool
    receipt_fault: str = ""
    receipt: str = ""
    root_key: str = ""
    report: Report = field(default_factory=Report)

    @property
    def ok(self) -> bool:
        """Whether the books are right and the receipt holds."""
        return self.audit == "ok" and self.receipt_verified

    def members(self) -> dict[str, Any]:
        """Give the JSON object that `--json` prints."""
        number = str(Amount(self.volume, USD)).removesuffix(f" {USD.code}")
        return {
            "payments": self.payments,
            "refused": self.refused,
            "volume": {USD.code: number},
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "audit": self.audit,
            "receipt_verified": self.receipt_verified,
        }


async def audit_books(config: Config, *, beside: bool = False) -> Report:
    """Audit the books of a hub that has stopped, or beside it, from nothing but its files."""
    with Threads(1) as readers:
        database = (open_to_read if beside else open_database)(config, readers)
        try:
            heads = HeadsFile(config.path(config.audit.heads_path))
            return await audit(database, key_ring(config).root_public(), heads)
        finally:
            database.close()


def judge(tally: Tally, report: Report, root_key: str) -> Result:
    """Put together what happened, what the audit says, and whether the last receipt holds."""
    fault = check_receipt(tally.receipt, root_key)
    return Result(
        payments=tally.payments,
        refused=dict(tally.refused.most_common()),
        volume=tally.volume,
        p50_ms=round(tally.latency_ms(0.5), 1),
        p99_ms=round(tally.latency_ms(0.99), 1),
        audit=report.text if not report.ok else _sums(tally),
        receipt_verified=fault == "",
        receipt_fault=fault,
        receipt=tally.receipt.payment if tally.receipt else "",
        root_key=root_key,
        report=report,
    )


def _sums(tally: Tally) -> str:
    """Compare what the devices say they paid with what the hub says everybody holds."""
    if not tally.balances:
        held = tally.with_devices + tally.with_shops
        return f"{_usd(tally.put_in)} was put in, but {_usd(held)} is held"
    # A device that was cut off may have paid for an answer it never saw: more is no fault.
    if tally.with_shops < tally.volume:
        return f"devices paid {_usd(tally.volume)}, but shops hold {_usd(tally.with_shops)}"
    return "ok"


def _usd(units: int) -> str:
    return str(Amount(units, USD))


def check_receipt(paid: Paid | None, root_key: str) -> str:
    """Say what is wrong with a receipt, offline; empty if it holds.

    Shape: it goes through its text form, as it would be kept in a file.
    """
    if paid is None or paid.receipt is None:
        return "there was no payment to have a receipt of"
    try:
        receipt = json.loads(json.dumps(paid.receipt))
        fault = receipt_fault(receipt, root_key)
    except Malformed as problem:
        return problem.detail
    if fault is None and receipt["statement"]["captured"] != str(paid.amount.units):
        return "it is about another amount"
    return fault or ""
