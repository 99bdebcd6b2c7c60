"""Who has signed out of a browser is pushed nothing there any more, whoever uses it after them."""

from pathlib import Path

from farthing.core.listeners import ADDRESSES, Address
from farthing.core.signed_in import IDLE_SECONDS
from farthing.store.queries import one as stored

from .browser import Browser
from .test_pushing import Pushed, pushed_in


async def told_at(one: Pushed) -> list[Address]:
    """List where Ada is told."""
    _, addresses = await one.town.hub.desk.notices.of(one.ada.person["id"], None)
    return addresses


async def elsewhere(one: Pushed) -> Browser:
    """Sign Ada in in another browser."""
    other = Browser(one.town)
    other.key, other.person = one.ada.key, one.ada.person
    assert (await other.sign_in()).status_code == 200
    return other


async def subscribe(one: Pushed, who: Browser, place: str) -> None:
    body, mark = one.browser.subscription(f"{one.url}/{place}"), await who.mark()
    assert (await who.post("/push/subscribe", body, **{"x-csrf": mark})).status_code == 200


async def test_signing_out_ends_the_pushes_of_this_browser_alone(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        other = await elsewhere(one)
        await subscribe(one, one.ada, "here")
        [here] = await told_at(one)
        await subscribe(one, other, "there")
        assert "data-pushed" in (await one.ada.page("/account/notices")).text
        await one.ada.submit("/sign-out", {})
        assert [each.place for each in await told_at(one)] == [f"{one.url}/there"]
        assert (await one.ada.sign_in()).status_code == 200
        assert "data-pushed" not in (await one.ada.page("/account/notices")).text
        read = one.town.hub.ctx.database.read
        gone = await read(lambda tx: stored(tx, ADDRESSES, here.id))
        assert gone and (gone.state, gone.why, gone.place) == ("removed", "signed-out", "")


async def test_a_session_that_is_ended_from_elsewhere_takes_its_pushes_along(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await subscribe(one, one.ada, "here")
        other = await elsewhere(one)
        await other.submit("/account/sessions/end-others", {})
        assert await told_at(one) == []


async def test_somebody_else_who_signs_in_ends_the_pushes_of_who_was_there(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await subscribe(one, one.ada, "here")
        bea = Browser(one.town)
        bea.http = one.ada.http
        await bea.joined("seller")
        assert await told_at(one) == []


async def test_pushes_go_on_when_a_session_ran_out_and_end_with_the_next_ones(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await subscribe(one, one.ada, "here")
        one.town.clock.move(IDLE_SECONDS + 60)
        assert (await one.ada.page("/wallet")).status_code == 303
        assert len(await told_at(one)) == 1
        assert (await one.ada.sign_in()).status_code == 200
        assert len(await told_at(one)) == 1
        assert "data-pushed" in (await one.ada.page("/account/notices")).text
        await one.ada.submit("/sign-out", {})
        assert await told_at(one) == []


async def test_where_a_session_ran_out_signing_out_everywhere_else_ends_its_pushes(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        await subscribe(one, one.ada, "here")
        one.town.clock.move(IDLE_SECONDS + 60)
        await (await elsewhere(one)).submit("/account/sessions/end-others", {})
        assert await told_at(one) == []


async def test_pushes_of_long_ago_end_by_the_place_that_the_browser_names(tmp_path: Path):
    async with pushed_in(tmp_path) as one:
        notices, ada = one.town.hub.desk.notices, one.ada.person["id"]
        keys = await _keys(one)
        await notices.add(ada, None, "push", f"{one.url}/old", "Firefox", keys)
        await one.ada.submit("/sign-out", {"endpoint": f"{one.url}/other"})
        assert len(await told_at(one)) == 1
        await one.ada.sign_in()
        await one.ada.submit("/sign-out", {"endpoint": f"{one.url}/old"})
        assert await told_at(one) == []


async def _keys(one: Pushed) -> str:
    await subscribe(one, one.ada, "here")
    [known] = await told_at(one)
    await one.town.hub.desk.notices.remove(known.id, None)
    return known.keys
