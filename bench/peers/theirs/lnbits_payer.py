"""Pays invoices from wallet to wallet inside one LNbits: `… lnbits_payer URL CLIENTS SECONDS`.

An invoice is made by the payee and paid by the payer: two requests, as every payment there.
"""

import asyncio
import secrets
import sys

import httpx

from bench.peers.theirs import paying

_SATS = 10_000_000


async def _made(hub: httpx.AsyncClient, method: str, path: str, key: str, **body: object) -> dict:
    answer = await hub.request(method, path, json=body, headers={"X-Api-Key": key} if key else {})
    answer.raise_for_status()
    return answer.json()


async def _operator(hub: httpx.AsyncClient) -> dict[str, str]:
    word = secrets.token_urlsafe(12)
    told = {"username": "operator", "password": word, "password_repeat": word}
    answer = await hub.put("/api/v1/auth/first_install", json=told)
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def _payer(hub: httpx.AsyncClient, operator: dict[str, str]) -> paying.Pay:
    payer, payee = [
        await _made(hub, "POST", "/api/v1/account", "", name=name) for name in ("payer", "payee")
    ]
    funds = {"id": payer["id"], "amount": _SATS}
    answer = await hub.put("/users/api/v1/balance", json=funds, headers=operator)
    answer.raise_for_status()

    async def pay() -> None:
        path = "/api/v1/payments"
        invoice = await _made(hub, "POST", path, payee["inkey"], out=False, amount=1, memo="page")
        bolt11 = invoice.get("bolt11") or invoice["payment_request"]
        await _made(hub, "POST", path, payer["adminkey"], out=True, bolt11=bolt11)

    return pay


async def main(url: str, clients: int, seconds: float) -> None:
    """Pay."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as hub:
        operator = await _operator(hub)
        hub.cookies.clear()
        await paying.run([await _payer(hub, operator) for _ in range(clients)], seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
