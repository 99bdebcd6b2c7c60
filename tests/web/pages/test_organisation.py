"""People sign in by their organisation: for this browser, once, as who they are, or not at all."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from joserfc import jwk

from farthing.app import open_hub
from farthing.codec import canonical_json
from farthing.core.events import Kind
from farthing.core.payments import PAYMENTS
from farthing.errors import BadConfig
from farthing.opening import key_ring
from farthing.settings import OidcSettings
from farthing.store.queries import events_after, page
from farthing.testing.worlds import HandClock
from tests.notifiers.subscriber import Subscriber
from tests.web.api.town import LOCAL, Town, changed, config_in, open_town

from .browser import Browser
from .provider import CLIENT, SECRET, Provider, providing
from .test_approving import Asked

BACK = "/sign-in/organisation/back"


class Firm:
    """A hub that knows an organisation, and a browser of somebody of it."""

    def __init__(self, town: Town, provider: Provider) -> None:
        self.town, self.provider, self.ada = town, provider, Browser(town)

    async def leaves(self, who: Browser | None = None) -> dict[str, str]:
        """Leave for the provider, sign in there, and give what one comes back with."""
        left = await (who or self.ada).page("/sign-in/organisation")
        assert left.status_code == 303, left.text
        return self.provider.authorise(left.headers["location"])

    async def comes_back(self, told: dict[str, str], who: Browser | None = None) -> Any:
        """Come back with it."""
        return await (who or self.ada).page(f"{BACK}?{urlencode(told)}")

    async def signs_in(self, who: Browser | None = None) -> Any:
        """Leave and come back."""
        return await self.comes_back(await self.leaves(who), who)

    async def is_in(self, who: Browser | None = None) -> bool:
        """Tell whether somebody is signed in."""
        return (await (who or self.ada).page("/wallet")).status_code == 200

    async def ties(self, who: Browser) -> Any:
        """Tie a person who shows a passkey to who they are at the organisation."""
        proof = canonical_json(await who.prove("link-organisation", "")).decode()
        shown = await who.submit("/account/organisation/tie", {"proof": proof})
        assert shown.status_code == 200, shown.text
        url = shown.text.partition(f'href="{self.provider.issuer}')[2].partition('"')[0]
        told = self.provider.authorise(self.provider.issuer + url.replace("&amp;", "&"))
        return await self.comes_back(told, who)


@contextlib.asynccontextmanager
async def firm_in(folder: Path, **more: Any) -> AsyncIterator[Firm]:
    clock = HandClock()
    with providing(lambda: clock.now) as provider:
        (folder / "client.secret").write_text(SECRET + "\n")
        (folder / "client.secret").chmod(0o600)
        settings = {
            "issuer": provider.issuer, "client_id": CLIENT, "name": "Mill & Sons",
            "client_secret_file": str(folder / "client.secret"),
            "allow_networks": ["127.0.0.0/8"],
        } | more  # fmt: skip
        town_config = changed(config_in(folder), oidc=OidcSettings(**settings))
        async with open_town(folder, clock=clock, config=town_config) as town:
            yield Firm(town, provider)


@contextlib.asynccontextmanager
async def bringing_in(folder: Path, **more: Any) -> AsyncIterator[Firm]:
    """A firm whose organisation may bring people: those of the group `money`."""
    async with firm_in(folder, **more) as firm:
        organisation = firm.town.hub.desk.organisation
        assert organisation is not None
        told = {"owner": firm.town.owners["buyer"], "roles": {"money": "owner", "it": "operator"}}
        settings = msgspec.structs.replace(organisation._settings, **(told | more))
        organisation._settings = settings
        firm.provider.claims["groups"] = ["money", "football"]
        yield firm


async def test_somebody_of_a_group_is_brought_once_and_has_its_roles(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        assert "Sign in with Mill &amp; Sons" in (await firm.ada.page("/sign-in")).text
        for _ in range(2):
            came = await firm.signs_in()
            assert (came.status_code, came.headers["location"]) == (303, "/wallet")
            assert await firm.is_in()
        people = (await firm.town.made("GET", "/v1/people", who=LOCAL))["items"]
        assert [(one["name"], one["roles"]) for one in people] == [("Ada", ["owner"])]
        firm.provider.claims["groups"] = ["it", "money"]
        await firm.signs_in()
        [ada] = (await firm.town.made("GET", "/v1/people", who=LOCAL))["items"]
        assert ada["roles"] == ["operator", "owner"]
        assert firm.provider.asked.count("/.well-known/openid-configuration") == 1
        assert firm.provider.asked.count("/keys") == 1


async def test_whom_the_organisation_lets_in_no_more_is_not_let_in(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        await firm.signs_in()
        firm.provider.claims["groups"] = ["football"]
        other = Browser(firm.town)
        refused = await firm.signs_in(other)
        assert refused.status_code == 403
        assert "nobody has let you in here" in refused.text
        assert not await firm.is_in(other)
        [ada] = (await firm.town.made("GET", "/v1/people", who=LOCAL))["items"]
        firm.provider.claims["groups"] = ["money"]
        await firm.town.made("POST", f"/v1/people/{ada['id']}/remove", who=LOCAL)
        assert (await firm.signs_in(other)).status_code == 403
        assert not await firm.is_in()


@pytest.mark.parametrize(
    ("claims", "let_in"),
    [
        ({"email": "ada@mill.example", "email_verified": True}, True),
        ({"email": "ada@MILL.example", "email_verified": True}, True),
        ({"email": "ada@mill.example", "email_verified": False}, False),
        ({"email": "ada@mill.example", "email_verified": "true"}, False),
        ({"email": "ada@mill.example"}, False),
        ({"email": "ada@mill.example.evil.example", "email_verified": True}, False),
        ({"email": "mill.example", "email_verified": True}, False),
        ({"email": ["ada@mill.example"], "email_verified": True}, False),
        ({}, False),
    ],
)
async def test_a_domain_counts_only_of_a_verified_address(
    tmp_path: Path, claims: dict[str, Any], let_in: bool
):
    async with bringing_in(tmp_path, roles={}, domains=["mill.example"]) as firm:
        firm.provider.claims |= claims
        assert ((await firm.signs_in()).status_code == 303) is let_in
        assert await firm.is_in() is let_in


async def test_nobody_is_taken_for_somebody_by_an_address_or_a_name(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        ada = await Browser(firm.town).joined()
        firm.provider.claims |= {"email": "ada@mill.example", "email_verified": True}
        other = Browser(firm.town)
        await firm.signs_in(other)
        people = (await firm.town.made("GET", "/v1/people", who=LOCAL))["items"]
        assert len({one["id"] for one in people}) == 2
        assert ada.person["id"] in {one["id"] for one in people}


async def test_a_person_ties_their_organisation_with_a_passkey_and_unties_it(tmp_path: Path):
    async with firm_in(tmp_path) as firm:
        assert (await firm.signs_in()).status_code == 403
        ada = await Browser(firm.town).joined()
        assert (await ada.submit("/account/organisation/tie", {})).status_code == 401
        assert (await firm.ties(ada)).headers["location"] == "/account"
        other = Browser(firm.town)
        assert (await firm.signs_in(other)).status_code == 303
        assert await firm.is_in(other)
        shown = (await ada.page("/account")).text
        identity = shown.partition('data-proof="unlink-organisation" data-subject="')[2][:43]
        proof = canonical_json(await ada.prove("unlink-organisation", identity)).decode()
        form = {"proof": proof, "subject": identity}
        assert (await ada.submit("/account/organisation/untie", form)).status_code == 303
        assert not await firm.is_in(other)
        assert (await firm.signs_in(other)).status_code == 403
        told = await firm.town.hub.ctx.database.read(lambda tx: events_after(tx, None, 0, 500))
        kinds = [event.kind for event in told if event.kind.startswith("identity.")]
        assert kinds == [Kind.IDENTITY_LINKED, Kind.IDENTITY_UNLINKED]


async def test_an_identity_that_is_somebody_elses_stays_theirs(tmp_path: Path):
    async with firm_in(tmp_path) as firm:
        await firm.ties(await Browser(firm.town).joined())
        eve = await Browser(firm.town).joined()
        refused = await firm.ties(eve)
        assert refused.status_code == 409
        assert "how somebody else signs in" in refused.text


async def test_what_moves_money_needs_a_passkey_all_the_same(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        await firm.signs_in()
        mark = await firm.ada.mark()
        asked = await firm.ada.post(
            "/proofs", {"act": "pay-out", "subject": "x"}, **{"x-csrf": mark}
        )
        assert asked.json()["options"]["allowCredentials"] == []
        assert (await firm.ada.submit("/account/organisation/tie", {})).status_code == 401
        assert (await firm.ada.submit("/shop/keys/make", {})).status_code == 401
        shown = (await firm.ada.page("/account")).text
        assert "You have no passkey here yet" in shown


async def test_one_comes_back_once_and_only_where_one_left(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        told = await firm.leaves()
        stranger = Browser(firm.town)
        assert (await firm.comes_back(told, stranger)).status_code == 401  # No ticket at all.
        mine = await firm.leaves(stranger)
        assert (await firm.comes_back(told | {"code": mine["code"]}, stranger)).status_code == 401
        assert not await firm.is_in(stranger)
        kept = dict(firm.ada.http.cookies), dict(firm.provider.codes)
        assert (await firm.comes_back(told)).status_code == 303
        firm.ada.http.cookies.update(kept[0])
        firm.provider.codes = kept[1]  # Though the code were good again.
        assert (await firm.comes_back(told)).status_code == 409


async def test_a_session_is_new_and_the_browsers_own_ends(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        ada = await Browser(firm.town).joined()
        planted = dict(ada.http.cookies)
        assert (await firm.signs_in(ada)).status_code == 303
        assert dict(ada.http.cookies) != planted
        old = Browser(firm.town)
        old.http.cookies.update(planted)
        assert not await firm.is_in(old)


async def test_a_session_by_an_organisation_is_short_and_one_signs_out_there_as_well(
    tmp_path: Path,
):
    async with bringing_in(tmp_path) as firm:
        await firm.signs_in()
        firm.town.clock.move(12 * 3600 + 1)
        assert not await firm.is_in()
        await firm.signs_in()
        out = await firm.ada.submit("/sign-out", {})
        assert out.headers["location"] == "/sign-in?out=1"
        assert not await firm.is_in()
        assert "Sign out at Mill &amp; Sons as well" in (await firm.ada.page("/sign-in?out=1")).text
        there = (await firm.ada.page("/sign-in/organisation/out")).headers["location"]
        asked = parse_qs(urlsplit(there).query)
        assert there.startswith(f"{firm.provider.issuer}/out?")
        assert asked["post_logout_redirect_uri"] == ["http://localhost:8402/sign-in"]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"error": "access_denied", "code": ""}, 401), ({"error": "access_denied"}, 401),
        ({"iss": "https://evil.example"}, 401),
        ({"state": ""}, 401), ({"state": "x" * 43}, 401), ({"code": ""}, 401),
        ({"code": "guessed"}, 401), ({"code": "x" * 5000}, 414),
    ],
)  # fmt: skip
async def test_what_is_not_the_answer_to_what_was_asked_signs_nobody_in(
    tmp_path: Path, told: dict[str, str], status: int
):
    async with bringing_in(tmp_path) as firm:
        back = await firm.leaves()
        assert (await firm.comes_back(back | told)).status_code == status
        assert not await firm.is_in()


async def test_nobody_is_sent_elsewhere_by_what_they_bring(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        for name in ("next", "redirect_uri", "return_to"):
            begun = await firm.ada.page(f"/sign-in/organisation?{name}=https://evil.example")
            assert begun.status_code == 400
            told = await firm.leaves()
            came = await firm.comes_back(told | {name: "https://evil.example"})
            assert came.headers["location"] == "/wallet"


async def test_a_ticket_is_good_for_five_minutes(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        back = await firm.leaves()
        firm.town.clock.move(301)
        assert (await firm.comes_back(back)).status_code == 401


LIES: dict[str, Any] = {
    "another issuer": lambda _h, c: c.update(iss="https://evil.example"),
    "another audience": lambda _h, c: c.update(aud="somebody"),
    "no audience": lambda _h, c: c.pop("aud"),
    "two audiences without azp": lambda _h, c: c.update(aud=[CLIENT, "other"]),
    "another azp": lambda _h, c: c.update(azp="other"),
    "two audiences and another azp": lambda _h, c: c.update(aud=[CLIENT, "other"], azp="other"),
    "over": lambda _h, c: c.update(exp=c["iat"] - 61),
    "no end": lambda _h, c: c.pop("exp"),
    "an end that is a word": lambda _h, c: c.update(exp="tomorrow"),
    "an end that is true": lambda _h, c: c.update(exp=True),
    "not yet": lambda _h, c: c.update(iat=c["iat"] + 120),
    "not before": lambda _h, c: c.update(nbf=c["iat"] + 120),
    "old": lambda _h, c: c.update(iat=c["iat"] - 800),
    "no birth": lambda _h, c: c.pop("iat"),
    "another nonce": lambda _h, c: c.update(nonce="x" * 43),
    "no nonce": lambda _h, c: c.pop("nonce"),
    "another access token": lambda _h, c: c.update(at_hash="x" * 22),
    "no subject": lambda _h, c: c.pop("sub"),
    "an empty subject": lambda _h, c: c.update(sub=""),
    "a subject that is a number": lambda _h, c: c.update(sub=7),
    "unsigned": lambda h, _c: h.update(alg="none"),
    "signed with the public key": lambda h, _c: h.update(alg="HS256"),
    "an unknown key": lambda h, _c: h.update(kid="two"),
}


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_a_token_that_does_not_hold_signs_nobody_in(tmp_path: Path, lie: str):
    async with bringing_in(tmp_path) as firm:
        firm.provider.spoil = LIES[lie]
        refused = await firm.signs_in()
        assert refused.status_code == 401, refused.text
        assert "does not hold" in refused.text
        assert not await firm.is_in()


TRUTHS: dict[str, Any] = {
    "one audience in a list": lambda _h, c: c.update(aud=[CLIENT]),
    "two audiences and our azp": lambda _h, c: c.update(aud=[CLIENT, "other"], azp=CLIENT),
    "a clock a minute behind": lambda _h, c: c.update(exp=c["iat"] - 59),
    "a clock a minute ahead": lambda _h, c: c.update(iat=c["iat"] + 59),
    "no word of the access token": lambda _h, c: c.pop("at_hash"),
    "another algorithm": lambda h, _c: h.update(alg="PS256"),
    "no name of the key": lambda h, _c: h.pop("kid"),
}


@pytest.mark.parametrize("truth", sorted(TRUTHS))
async def test_a_token_that_holds_signs_in(tmp_path: Path, truth: str):
    async with bringing_in(tmp_path) as firm:
        firm.provider.spoil = TRUTHS[truth]
        assert (await firm.signs_in()).status_code == 303
        assert await firm.is_in()


@pytest.mark.parametrize(
    "torn",
    [
        lambda token: token[:-5] + ("AAAAA" if token[-5:] != "AAAAA" else "BBBBB"),
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token + ".x",
        lambda _token: "x",
        lambda _token: "x" * 20_000,
        lambda token: ".".join(["e30", *token.split(".")[1:]]),
    ],
)
async def test_a_token_that_was_changed_signs_nobody_in(tmp_path: Path, torn: Any):
    async with bringing_in(tmp_path) as firm:
        firm.provider.token = torn
        assert (await firm.signs_in()).status_code == 401
        assert not await firm.is_in()


async def test_a_new_key_is_read_when_it_is_met_and_not_more_often_than_that(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        provider = firm.provider
        await firm.signs_in()
        provider.keys = {"new": jwk.generate_key("EC", "P-256", parameters={"kid": "new"})}
        provider.signs = "new"
        provider.spoil = lambda header, _claims: header.update(alg="ES256")
        firm.town.clock.move(31)
        assert (await firm.signs_in()).status_code == 303
        assert provider.asked.count("/keys") == 2
        provider.spoil = lambda header, _claims: header.update(alg="ES256", kid="other")
        for _ in range(3):
            assert (await firm.signs_in()).status_code == 401
        assert provider.asked.count("/keys") == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"}, {"token_endpoint": "http://192.168.0.1/token"},
        {"jwks_uri": "file:///etc/passwd"}, {"authorization_endpoint": "javascript:alert(1)"},
        {"code_challenge_methods_supported": ["plain"]}, {"jwks_uri": 7},
        {"end_session_endpoint": "//evil.example"},
    ],
)  # fmt: skip
async def test_a_document_that_leads_astray_is_not_followed(
    tmp_path: Path, document: dict[str, Any]
):
    async with bringing_in(tmp_path) as firm:
        firm.provider.document = document
        left = await firm.ada.page("/sign-in/organisation")
        if left.status_code == 303:  # Found out when it would be asked there.
            told = firm.provider.authorise(left.headers["location"])
            left = await firm.comes_back(told)
        assert left.status_code == 503, left.text
        assert not await firm.is_in()


async def test_a_provider_that_is_away_is_told_as_such_and_passkeys_go_on(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        ada = await Browser(firm.town).joined()
        firm.provider.answer = lambda *_: (302, "http://169.254.169.254/latest")  # type: ignore[method-assign]
        assert (await firm.ada.page("/sign-in/organisation")).status_code == 503
        assert (await ada.sign_in()).status_code == 200


async def test_without_an_organisation_there_is_no_such_page(tmp_path: Path):
    async with open_town(tmp_path) as town:
        ada = Browser(town)
        for path in ("/sign-in/organisation", f"{BACK}?code=x", "/sign-in/organisation/out"):
            assert (await ada.page(path)).status_code == 404
        assert "organisation" not in (await ada.page("/sign-in")).text


@pytest.mark.parametrize(
    "issuer", ["http://login.example", "https://10.0.0.1", "https://u:p@login.example", "ftp://x"]
)
async def test_an_issuer_that_may_not_be_asked_is_refused_at_the_start(tmp_path: Path, issuer: str):
    config = changed(config_in(tmp_path), oidc=OidcSettings(issuer=issuer, client_id="x"))
    key_ring(config).create()
    with pytest.raises(BadConfig):
        await open_hub(config)


OUT = "/sign-in/organisation/told-out"
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def tells_out(firm: Firm, token: str) -> Any:
    """Tell the hub that somebody is signed out, as a provider does: no browser, no origin."""
    return await Browser(firm.town).http.post(OUT, data={"logout_token": token})


async def test_whom_the_provider_signs_out_is_out_at_once_and_nobody_else_is(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        phone, bea = Browser(firm.town), Browser(firm.town)
        await firm.signs_in()
        await firm.signs_in(phone)
        firm.provider.claims["sub"] = "bea@work"
        await firm.signs_in(bea)
        firm.provider.claims["sub"] = "ada@work"
        told = await tells_out(firm, firm.provider.signs_out())
        assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
        here = [await firm.is_in(who) for who in (firm.ada, phone, bea)]
        assert here == [False, False, True]
        await firm.signs_in()
        again = await tells_out(firm, firm.provider.signs_out())  # The same one, once more.
        assert (again.status_code, await firm.is_in()) == (409, True)
        assert (await tells_out(firm, firm.provider.signs_out(jti="second"))).status_code == 200
        assert not await firm.is_in()
        nobody = firm.provider.signs_out(jti="third", sub="cid@work")
        assert (await tells_out(firm, nobody)).status_code == 200


async def test_who_is_signed_out_there_is_pushed_nothing_here_also_where_it_had_run_out(
    tmp_path: Path,
):
    async with bringing_in(tmp_path, session_hours=1) as firm:
        await firm.signs_in()
        mark, phone = await firm.ada.mark(), Subscriber().subscription("https://push.example/ada")
        asked = await firm.ada.post("/push/subscribe", phone, **{"x-csrf": mark})
        assert asked.status_code == 200
        [ada] = (await firm.town.made("GET", "/v1/people", who=LOCAL))["items"]
        path = f"/v1/people/{ada['id']}/notices"
        firm.town.clock.move(3601)
        assert not await firm.is_in()
        assert len((await firm.town.made("GET", path, who=LOCAL))["addresses"]) == 1
        assert (await tells_out(firm, firm.provider.signs_out())).status_code == 200
        assert (await firm.town.made("GET", path, who=LOCAL))["addresses"] == []


async def test_a_session_by_passkey_is_not_the_organisations_to_end(tmp_path: Path):
    async with firm_in(tmp_path) as firm:
        ada = await Browser(firm.town).joined()
        assert (await firm.ties(ada)).status_code == 303
        await firm.signs_in()
        assert (await tells_out(firm, firm.provider.signs_out())).status_code == 200
        assert [await firm.is_in(who) for who in (firm.ada, ada)] == [False, True]


OUT_LIES: dict[str, Any] = {
    name: lie for name, lie in LIES.items() if not re.search("nonce|access|public key", name)
} | {
    "no event": lambda _h, c: c.pop("events"),
    "another event": lambda _h, c: c.update(events={"http://schemas.openid.net/event/x": {}}),
    "an event that is no object": lambda _h, c: c.update(events={_EVENT: True}),
    "events in a list": lambda _h, c: c.update(events=[_EVENT]),
    "a nonce": lambda _h, c: c.update(nonce="x" * 43),
    "no name of its own": lambda _h, c: c.pop("jti"),
    "a session alone": lambda _h, c: c.update(sid=c.pop("sub")),
}


@pytest.mark.parametrize("lie", sorted(OUT_LIES))
async def test_a_logout_token_that_does_not_hold_signs_nobody_out(tmp_path: Path, lie: str):
    async with bringing_in(tmp_path) as firm:
        await firm.signs_in()
        firm.provider.spoil = OUT_LIES[lie]
        told = await tells_out(firm, firm.provider.signs_out())
        assert (told.status_code, told.json()["code"]) == (400, "bad-id-token")
        assert await firm.is_in()


async def test_an_id_token_signs_nobody_out_and_a_logout_token_signs_nobody_in(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        await firm.signs_in()
        assert (await tells_out(firm, firm.provider.made("x" * 43))).status_code == 400
        for odd in ("", "x", "x" * 20_000):
            assert (await tells_out(firm, odd)).status_code == 400
        assert (await Browser(firm.town).http.post(OUT, json={})).status_code == 400
        assert await firm.is_in()
        other = Browser(firm.town)
        firm.provider.token = lambda _token: firm.provider.signs_out()
        assert (await firm.signs_in(other)).status_code == 401


@pytest.mark.parametrize("says_so", [True, False])
async def test_an_answer_without_a_name_is_refused_where_the_provider_names_itself(
    tmp_path: Path, says_so: bool
):
    async with bringing_in(tmp_path) as firm:
        firm.provider.document["authorization_response_iss_parameter_supported"] = says_so
        back = await firm.leaves()
        del back["iss"]
        assert (await firm.comes_back(back)).status_code == (401 if says_so else 303)
        assert await firm.is_in() == (not says_so)
        assert (await firm.signs_in()).status_code == 303


async def test_whom_the_organisation_made_is_no_second_person_without_a_passkey(tmp_path: Path):
    async with bringing_in(tmp_path) as firm:
        town = firm.town
        await town.enrol("big", "purse", await town.mandate(two_above="2000", ask_above="1"))
        first, second = Asked(town, await Browser(town).joined()), Asked(town, firm.ada)
        await firm.signs_in()
        payment, small = await first.asks(3000), await first.asks(1500)
        assert (await first.answer(payment)).status_code == 303
        assert "data-needs-proof" in (await firm.ada.page(f"/wallet/payments/{payment}")).text
        assert (await second.answer(payment)).status_code == 401
        people = (await town.made("GET", "/v1/people", who=LOCAL))["items"]
        [me] = [one["id"] for one in people if one["id"] != first.ada.person["id"]]
        kept = await town.hub.ctx.database.read(lambda tx: page(tx, PAYMENTS, {"id": payment}))
        ticket = town.hub.desk.notices.ask_ticket(me, kept[0], approves=True)
        said = await firm.ada.post("/push/answer", {"ticket": ticket, "answer": "approve"})
        assert (said.status_code, said.json()["code"]) == (401, "passkey-needed")
        assert await first.state(payment) == "awaiting"
        assert (await second.answer(payment, "deny")).status_code == 303
        assert (await second.answer(small)).status_code == 303  # One is enough for that.
        assert await first.state(small) == "captured"
