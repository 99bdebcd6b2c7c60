"""The console: for operators alone; what is in motion, what is stuck, who is in, what happened."""

import contextlib
import html
import re
from collections.abc import AsyncGenerator
from pathlib import Path

from farthing.clock import NS, system_clock
from farthing.codec import canonical_json
from farthing.services.audit_note import AuditNote, write_note
from farthing.store import overview
from farthing.web.pages import people
from farthing.web.pages.app import PAGES
from farthing.web.pages.render import HTML
from farthing.web.pages.words import languages
from tests.services.test_webhooks import carried, settled
from tests.web.api.town import LOCAL, Town, open_town

from .browser import Browser


@contextlib.asynccontextmanager
async def operated(folder: Path) -> AsyncGenerator[tuple[Town, Browser]]:
    async with open_town(folder) as town:
        yield town, await operator(town)


async def operator(town: Town) -> Browser:
    grace = Browser(town)
    code = await grace.invited("buyer", name="Grace", roles=["owner", "operator"])
    assert (await grace.join(code)).status_code == 200
    return grace


async def proof(grace: Browser, act: str, subject: str) -> dict[str, str]:
    return {"proof": canonical_json(await grace.prove(act, subject)).decode()}


def plain(shown: str) -> str:
    """Give a page's text, without its tags."""
    text = shown.partition("<main")[2]
    for _ in range(3):  # An amount is one word, whatever it is made of.
        text = re.sub(r'<span class="(?:unit|minor|noughts|part)">([^<]*)</span>', r"\1", text)
    text = re.sub(r"<[^>]+>", " ", text)
    return re.sub(r"\s+", " ", html.unescape(text))


async def test_to_who_does_not_look_after_the_hub_there_is_no_console(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = await Browser(town).joined()
        pages = [one for one in PAGES if one.path.startswith("/console")]
        assert len(pages) > 8
        for one in pages:
            shown = (
                await ada.page(one.path) if one.method == "GET" else await ada.submit(one.path, {})
            )
            assert shown.status_code == 404, one.path
        sent = {"act": "remove-person", "subject": ada.person["id"]}
        answer = await ada.post("/proofs", sent, **{"x-csrf": await ada.mark()})
        assert answer.status_code == 404


async def test_the_overview_says_what_is_in_motion_and_what_owners_hold(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        await town.pay(1500)
        held = (await town.hold(700))["payment"]
        session = await town.session(1000)
        shown = (await grace.page("/console")).text
        text = plain(shown)
        assert "Payments can be taken." in text
        assert "Never audited" in text
        assert "Nothing is stuck" in text
        assert "Held by owners $1.00" in text
        assert re.search(r"open sessions 1 ", text), text
        rows = {}
        for state in ("held", "awaiting", "sessions", "unsettled"):
            assert f'href="/console/motion?state={state}"' in shown or state == "awaiting"
            rows[state] = (await grace.page(f"/console/motion?state={state}")).text
        assert held in rows["held"]
        assert session["id"] in rows["sessions"]
        assert "None at this moment." in rows["awaiting"]
        assert "None at this moment." in rows["unsettled"]
        assert (await grace.page("/console/motion?state=captured")).status_code == 400


async def test_every_page_is_there_in_every_language(tmp_path: Path):
    async with operated(tmp_path) as (_, grace):
        paths = {one.path for one in PAGES if one.method == "GET" and one.media == HTML}
        plain_ones = {path for path in paths if "{" not in path and "organisation" not in path}
        assert len(plain_ones) > 20
        for language in languages():
            for path in plain_ones - {"/", "/sw.js", "/sign-in"}:
                shown = await grace.page(path, **{"accept-language": language})
                assert shown.status_code == 200, (language, path)
                whole = "<!doctype html>" in shown.text  # Others are pieces of pages.
                assert not whole or f'<html lang="{language}">' in shown.text, path


async def test_people_are_listed_a_page_at_a_time(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        owner = {"owner": town.owners["buyer"], "roles": ["owner"]}
        for number in range(people.LISTED):
            await town.made("POST", "/v1/people", owner | {"name": f"Guest {number}"}, who=LOCAL)
        shown = (await grace.page("/console/people")).text
        assert "Guest 0" in shown
        assert "Grace<" not in shown
        older = re.search(r'href="(/console/people\?before=[^"]+)"', shown)
        assert older
        shown = (await grace.page(older[1])).text
        assert "Grace<" in shown
        assert "Guest" not in shown
        assert "before=" not in shown


async def test_what_owners_hold_is_listed_account_by_account(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        await town.hold(2500)
        assert "/console/motion?state=accounts" in (await grace.page("/console")).text
        shown = plain((await grace.page("/console/motion?state=accounts")).text)
        assert "Balance (USD)" in shown
        assert "0.0025" in shown
        assert "1.00" in shown
        assert (await grace.page("/console/motion?state=elsewhere")).status_code == 400


async def test_the_overview_says_what_the_newest_audit_found(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        config = town.hub.desk.config
        write_note(config, AuditNote(ok=True, time_ns=system_clock(), commits=3, text="ok"))
        assert "Audited, and whole:" in plain((await grace.page("/console")).text)
        fault = AuditNote(ok=False, time_ns=system_clock(), commits=3, text="leaf 7 is changed")
        write_note(config, fault)
        text = plain((await grace.page("/console")).text)
        assert "The audit found a fault:" in text
        assert "leaf 7 is changed" in text


async def test_throughput_counts_the_last_minutes_and_says_of_how_many(tmp_path: Path):
    async with operated(tmp_path) as (town, _):
        before = await town.hub.ctx.database.read(lambda tx: overview.pace(tx, system_clock()))
        for _ in range(4):
            await town.pay(5)
        after = await town.hub.ctx.database.read(lambda tx: overview.pace(tx, system_clock()))
        assert after.units - before.units == 4
        assert sum(after.parts) == after.units
        assert after.seconds == 300
        late = system_clock() + 3600 * NS
        none = await town.hub.ctx.database.read(lambda tx: overview.pace(tx, late))
        assert (none.units, none.per_second) == (0, "0.0")


async def test_what_does_not_arrive_or_is_not_known_is_on_one_page(tmp_path: Path):
    async with settled(tmp_path) as town:
        grace = await operator(town)
        assert "Nothing is stuck" in plain((await grace.page("/console/stuck")).text)
        moving = {"account": town.accounts["purse"], "asset": "USD", "units": "70"}
        lost = moving | {"rail": "simulated", "place": "lost"}
        payout = (await town.made("POST", "/v1/payouts", lost, who="buyer.owner"))["id"]
        hook = {"url": "http://127.0.0.1:9/gone", "owner": town.owners["seller"]}
        made = (await town.made("POST", "/v1/webhooks", hook, who=LOCAL))["id"]
        async with carried(town):
            await town.pay(5)
            text = ""
            while made not in text:  # Until the first try has failed.
                text = plain((await grace.page("/console/stuck")).text)
        assert payout in text
        assert "unknown" in text
        assert "http://127.0.0.1:9/gone" in text
        assert "Stuck: 2" in plain((await grace.page("/console")).text)


async def test_somebody_is_invited_linked_again_and_removed_with_a_passkey_each(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        form = {"name": "Bea", "owner": town.owners["seller"], "role": "owner", "operator": ""}
        checked = (await grace.submit("/console/people/check", form)).text
        assert "may sign in for seller" in checked
        terms = re.search(r'data-subject="([^"]+)"', checked)
        assert terms
        assert (await grace.submit("/console/people/invite", form)).status_code == 401
        confirmed = form | await proof(grace, "invite-person", terms[1])
        more = confirmed | {"operator": "yes"}  # Not what was confirmed.
        assert (await grace.submit("/console/people/invite", more)).status_code == 401
        shown = (await grace.submit("/console/people/invite", confirmed)).text
        code = re.search(r"data-link>http://localhost:\d+/join#([^<]+)<", shown)
        assert code
        bea = Browser(town)
        assert (await bea.join(code[1])).status_code == 200
        assert (await bea.page("/wallet")).status_code == 200
        assert code[1] not in (await grace.page("/console/people")).text

        people = await town.made("GET", "/v1/people", who=LOCAL)
        who = next(one["id"] for one in people["items"] if one["name"] == "Bea")
        asked = {"person": who}
        for path in ("link", "remove"):
            assert (await grace.submit(f"/console/people/{path}", asked)).status_code == 401
        linked = asked | await proof(grace, "link-person", who)
        assert "data-link" in (await grace.submit("/console/people/link", linked)).text
        removed = asked | await proof(grace, "remove-person", who)
        assert (await grace.submit("/console/people/remove", removed)).status_code == 303
        assert (await bea.page("/wallet")).status_code == 303
        itself = {"person": grace.person["id"]}
        itself |= await proof(grace, "remove-person", grace.person["id"])
        assert (await grace.submit("/console/people/remove", itself)).status_code == 400


async def test_the_log_is_looked_through_by_kind_and_by_what_it_is_about(tmp_path: Path):
    async with operated(tmp_path) as (town, grace):
        paid = (await town.pay(1500))["id"]
        for _ in range(70):
            await town.pay(1)
        seen, path = list[str](), "/console/log"
        while path:
            shown = (await grace.page(path)).text
            seen += re.findall(r"\?find=(pay_\w+)", shown)
            older = re.search(r'href="(/console/log\?before=\d+)"', shown)
            path = older[1] if older else ""
        assert len(seen) == len(set(seen)) == 71
        assert seen[-1] == paid
        about = (await grace.page(f"/console/log?find={paid}")).text
        assert set(re.findall(r"pay_\w+", about.partition("<tbody>")[2])) == {paid}
        kinds = (await grace.page("/console/log?find=owner.")).text
        assert set(re.findall(r">(\w+\.\w+)</a>", kinds)) == {"owner.created"}
        assert "Nothing of that" in (await grace.page("/console/log?find=no.such")).text
        assert (await grace.page("/console/log?before=x")).status_code == 400
