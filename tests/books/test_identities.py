"""An identity is one person's; the settings make people, and take their roles away again."""

import pytest

from farthing import ids
from farthing.core.identities import (
    IDENTITIES,
    LinkIdentity,
    SignInByIdentity,
    UnlinkIdentity,
    identity_id,
)
from farthing.core.people import PEOPLE, Person, RemovePerson
from farthing.core.signed_in import SIGNED_IN
from farthing.errors import Conflict, Forbidden, Missing
from farthing.store.queries import one
from tests.books.persons import answerer

WORK = identity_id("https://login.example", "ada")


def coming(world, owner, roles=("owner",), identity=WORK, secret=b"s" * 32):
    who = Person(ids.name("per", world.fresh()), owner, "Ada", list(roles), 0) if roles else None
    return SignInByIdentity(identity, who, secret, "Firefox", 3600)


async def kept(world, table, key):
    return await world.database.read(lambda tx: one(tx, table, key))


def test_an_identity_is_an_issuers_word_about_a_subject():
    assert identity_id("https://a", "bc") != identity_id("https://ab", "c")
    assert identity_id("https://a", "b") == identity_id("https://a", "b")


async def test_somebody_new_is_made_once_with_a_session_that_ends(world):
    owner = await world.owner()
    first = await world.do(coming(world, owner))
    again = await world.do(coming(world, owner, secret=b"t" * 32))
    assert again.id == first.id
    session = await kept(world, SIGNED_IN, b"s" * 32)
    assert (session.person, session.identity, session.passkey) == (first.id, WORK, "")
    assert session.ends_ns - session.created_ns == 3600 * 10**9


async def test_whom_nobody_made_and_the_settings_do_not_is_refused_and_nothing_is_kept(world):
    owner = await world.owner()
    for unit in (coming(world, owner, ()), coming(world, ids.name("own", 7))):
        with pytest.raises(Forbidden):
            await world.do(unit)
    assert await kept(world, IDENTITIES, WORK) is None


async def test_roles_follow_the_organisation_and_so_does_being_let_in(world):
    owner = await world.owner()
    ada = await world.do(coming(world, owner))
    changed = await world.do(coming(world, owner, ("operator", "owner"), secret=b"t" * 32))
    assert (changed.id, changed.roles) == (ada.id, ["operator", "owner"])
    with pytest.raises(Forbidden):
        await world.do(coming(world, owner, (), secret=b"u" * 32))
    with pytest.raises(Forbidden):
        await world.do(coming(world, await world.owner(), secret=b"u" * 32))
    await world.do(RemovePerson(ada.id))
    with pytest.raises(Forbidden):
        await world.do(coming(world, owner, secret=b"u" * 32))


async def test_a_linked_person_keeps_the_roles_they_have_here(world):
    spender = await world.spender(1)
    who = (await answerer(world, spender)).who
    await world.do(LinkIdentity(WORK, who))
    await world.do(LinkIdentity(WORK, who))
    came = await world.do(coming(world, spender.device.owner, ("operator",)))
    assert (came.id, came.roles) == (who, ["owner"])
    assert (await kept(world, PEOPLE, who)).roles == ["owner"]
    assert (await world.do(coming(world, "", (), secret=b"t" * 32))).id == who


async def test_an_identity_is_one_persons_until_they_take_it_away(world):
    spender = await world.spender(1)
    ada, eve = (await answerer(world, spender)).who, (await answerer(world, spender)).who
    await world.do(LinkIdentity(WORK, ada))
    with pytest.raises(Conflict):
        await world.do(LinkIdentity(WORK, eve))
    with pytest.raises(Missing):
        await world.do(UnlinkIdentity(WORK, eve))
    for _ in range(2):
        await world.do(UnlinkIdentity(WORK, ada))
    with pytest.raises(Forbidden):  # Taken away, it is not made anew by the settings.
        await world.do(coming(world, spender.device.owner))
    await world.do(LinkIdentity(WORK, eve))
    assert (await world.do(coming(world, "", ()))).id == eve
