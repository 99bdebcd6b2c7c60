"""What pages tell: what is missing, and nothing that the page has said already."""

from pathlib import Path

from farthing.codec import canonical_json
from tests.web.api.town import open_town

from .browser import Browser

NONE = "You have none"


async def test_who_has_no_recovery_code_is_warned_until_there_are_some(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await Browser(town).joined()
        assert NONE in (await ada.page("/account")).text
        proof = canonical_json(await ada.prove("recovery-codes", "")).decode()
        await ada.submit("/account/recovery-codes", {"proof": proof})
        shown = (await ada.page("/account")).text
    assert NONE not in shown
    assert "left." in shown


async def test_a_devices_own_page_does_not_name_it_at_each_payment(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await Browser(town).joined()
        await town.pay()
        wallet = (await ada.page("/wallet")).text
        shown = (await ada.page(f"/wallet/devices/{town.machines['meter'].id}")).text
    assert "meter → " in wallet
    assert "meter → " not in shown
    assert "Paid · " in shown
