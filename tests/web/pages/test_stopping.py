"""The link in a notice stops its class by one click of who has it, and does nothing else."""

from pathlib import Path

from farthing.core.notices import Class
from tests.web.api.town import open_town

from .browser import HTML, Browser


async def test_looking_stops_nothing_and_one_click_does_without_signing_in(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = Browser(town)
        await ada.invited()
        notices, person = town.hub.desk.notices, ada.person["id"]
        url = notices.stop_url(person, Class.ACCOUNT)
        path = url.removeprefix(notices.place)
        shown = await ada.page(path)
        assert "Stop notices about “Your account”?" in shown.text
        assert (await notices.of(person, None))[0].wishes.classes[Class.ACCOUNT].ways
        # As RFC 8058 has it: a form, from wherever, with no cookie and no origin.
        form = {"List-Unsubscribe": "One-Click"}
        done = await ada.http.post(path, data=form, headers=HTML)
        assert "You are told nothing about “Your account” any more" in done.text
        assert (await notices.of(person, None))[0].wishes.classes[Class.ACCOUNT].ways == []
        again = await ada.http.post(path, data=form)
        assert again.status_code == 200


async def test_a_link_that_was_changed_or_is_about_security_stops_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = Browser(town)
        await ada.invited()
        notices, person = town.hub.desk.notices, ada.person["id"]
        path = notices.stop_url(person, Class.ACCOUNT).removeprefix(notices.place)
        for odd in (
            path.replace("account", "money"),
            path[:-1] + ("A" if path[-1] != "A" else "B"),
        ):
            refused = await ada.http.post(odd, data={})
            assert refused.json()["code"] == "malformed-link"
        own = notices.stop_url(person, Class.SECURITY).removeprefix(notices.place)
        assert "always come" in (await ada.page(own)).text
        assert (await ada.http.post(own, data={})).json()["code"] == "security-unheard"
        assert (await notices.of(person, None))[0].wishes.classes[Class.ACCOUNT].ways
