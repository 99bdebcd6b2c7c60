"""Books in which everything has happened once: what an audit must be able to walk over."""

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import SetAccountState
from farthing.core.addresses import AddAddress, ProveAddress, RemoveAddress
from farthing.core.agreeing import AgreeToMandate, DeclineMandate, ProposeMandate, agreement_of
from farthing.core.answers import AnswerAsk
from farthing.core.cases import DecideCase, Verdict, case_name
from farthing.core.closing import CloseSession, EndSession
from farthing.core.devices import (
    AssignMandate,
    EnrolDevice,
    Invitation,
    InviteDevice,
    RevokeDevice,
    RotateKey,
    code_hash,
)
from farthing.core.fees import FeeTerms
from farthing.core.identities import (
    LinkIdentity,
    SignInByIdentity,
    UnlinkIdentity,
    identity_id,
)
from farthing.core.identity import CERTIFICATES, AcceptRollback, AdmitKey, certify
from farthing.core.judgements import Act, Judgement, Reason
from farthing.core.listeners import NOTICE_LANES, SetWishes
from farthing.core.mandates import Budget
from farthing.core.movements import Conclude, Direction, Intend, Said
from farthing.core.notices import Class, Wish, Wishes
from farthing.core.offers import OfferRecord, SetOffer, WithdrawOffer
from farthing.core.owners import CreateKey, RevokeKey, Scope, secret_hash
from farthing.core.people import (
    AddPasskey,
    InvitePerson,
    LinkPerson,
    MakeRecoveryCodes,
    Passkey,
    Person,
    RemovePasskey,
    RemovePerson,
    sign_in_code_hash,
)
from farthing.core.refunds import GiveBack
from farthing.core.said import By, Means
from farthing.core.settling import Capture, Expire, MarkDelivery, Void
from farthing.core.telling import BeginNotice, EndNotice, NoticeTry
from farthing.core.webhooks import (
    UNTIL_ALWAYS,
    AddWebhook,
    ReplayWebhook,
    RotateWebhook,
    SetWebhookState,
    TestWebhook,
    chosen,
)
from farthing.keys import Ed25519Signer
from farthing.testing.drawing import Drawer
from tests.books.persons import answerer

ROOT = Ed25519Signer(bytes(reversed(range(32))))
DAY = Budget(name="day", per="day", limit=10_000)
HOUR = Budget(name="hour", per="1h", limit=5_000)


async def live(world, signer):
    """Hold, capture, void, expire, refund, refuse, ask, cancel, freeze and rotate."""
    await world.do(AdmitKey(certify(ROOT, signer.public, world.clock.now - 1)))
    await administer(world)
    shop = await world.account()
    buyer = await world.spender(20_000, DAY, HOUR, ask_above=3_000)
    poor = await world.spender(10)
    await paid(world, buyer, shop, 700)
    held = [(await paid(world, buyer, shop, 300, hold=60)).id for _ in range(5)]
    await world.do(Capture(held[0], None))
    await world.do(Capture(held[1], None, 120))
    await world.do(Void(held[2], None, "broken upstream"))
    world.clock.move(61)
    refused = await paid(world, poor, shop, 500)
    await world.do(
        Expire(
            held[3],
        )
    )
    await world.do(GiveBack(ids.name("ref", world.fresh()), held[0], None, 100, "half"))
    await world.do(GiveBack(ids.name("ref", world.fresh()), held[0], None, None, "rest"))
    await world.do(MarkDelivery(held[1], None, "incomplete: gone"))
    asked = [(await paid(world, buyer, shop, 3_100 + i, hold=60)).id for i in range(3)]
    await world.do(AnswerAsk(asked[0], None, "deny", By(Means.KEY, "key_eve")))
    await world.do(AnswerAsk(asked[1], None, "approve", await answerer(world, buyer)))
    guarded = await by_two(world, shop)
    await world.do(world.cancel(buyer, world.order(buyer, shop, 70)))
    unwanted = world.pay(buyer, shop, 3_200, hold=60)
    await world.do(unwanted)
    await world.do(world.cancel(buyer, unwanted.signed))
    waiting = (await paid(world, buyer, shop, 50, hold=600)).id
    await paid(world, buyer, shop, 4_000, hold=60)
    frozen = await world.account(units=5)
    await world.do(SetAccountState(frozen, None, "frozen", world.fresh()))
    thawed = await world.account(units=5)
    await world.do(SetAccountState(thawed, None, "frozen", world.fresh()))
    await world.do(SetAccountState(thawed, None, "open", world.fresh()))
    await world.do_all([world.pay(buyer, shop, 10 + i) for i in range(20)])
    await move(world, shop)
    await draw(world, shop)
    await give_fees(world, buyer, shop)
    await flag(world, buyer, shop)
    await loosen(world, *guarded)
    return {"refused": refused.id, "held": waiting, "shop": shop}


async def by_two(world, shop):
    """Ask two people: one payment both approve, one waits for the second, one is denied."""
    buyer = await world.spender(20_000, two_above=5)
    ada, bea = await answerer(world, buyer), await answerer(world, buyer)
    asked = [(await paid(world, buyer, shop, 10 + i, hold=60)).id for i in range(3)]
    for ident in asked:
        await world.do(AnswerAsk(ident, None, "approve", ada))
    await world.do(AnswerAsk(asked[0], None, "approve", bea))
    await world.do(AnswerAsk(asked[1], None, "deny", bea))
    return buyer, ada, bea


async def loosen(world, buyer, ada, bea):
    """Want the line higher, thrice: once it is agreed to, once declined, and once it waits."""
    owner, ident = buyer.device.owner, buyer.device.mandate
    agreed, declined, waits = (
        world.set_mandate(owner, ident=ident, two_above=line).wanted for line in (50, 60, 70)
    )
    kept = await world.do(ProposeMandate(agreed, ada.who, 1))
    await world.do(AgreeToMandate(ident, bea.who, agreement_of(kept), world.fresh()))
    await world.do(ProposeMandate(declined, ada.who, 2))
    await world.do(DeclineMandate(ident, None, bea))
    await world.do(ProposeMandate(waits, ada.who, 2))


async def draw(world, shop):
    """Open sessions: one that is drawn and topped up, one drawn and closed, one ended by time."""
    own = Drawer(world, await world.spender(1_000), shop)
    going, done, over = [await own.open(100) for _ in range(3)]
    await own.top_up(going, 50)
    await world.do(own.climb(going, units=20, each=5, count=20))
    await own.top_up(done, 60)
    await own.top_up(done, 40)
    await world.do(own.draw(done, 130, 2))
    await own.close(done, 125)
    await world.do(EndSession(over.id, over.owner))
    await world.do(CloseSession(over.id, None))


async def give_fees(world, buyer, shop):
    """Sell by an offer that gives a share besides the hub's, and refund a part of it."""
    till, platform = await world.account(), await world.account()
    ident = ids.name("off", world.fresh())
    fee = FeeTerms(of=ident, account=platform, ppm=50_000, minimum=2)
    offer = OfferRecord(
        id=ident, owner="", payee=shop, method="GET", path="/a", asset="USD", amount=200, fee=fee
    )  # fmt: skip
    await world.do(SetOffer(offer, None, creates=True))
    world.fees = {"USD": FeeTerms(of="hub", account=till, ppm=100_000)}
    sold = await paid(world, buyer, shop, 200, offer=ident)
    world.fees = {}
    await world.do(GiveBack(ids.name("ref", world.fresh()), sold.id, None, 100, ""))


async def move(world, account):
    """Bring money in and pay some out: settled, failed, and under way."""
    for direction in Direction:
        for said in (Said.SETTLED, Said.FAILED, Said.PENDING):
            ident = ids.name(direction.value, world.fresh())
            await world.do(Intend(ident, None, direction, account, "USD", 9, "simulated", "x"))
            await world.do(Conclude(ident, said, "sim", "", 9))


class Flagged:
    """An order that is odd, whoever judges."""

    def __init__(self, unit):
        self.unit, self.reads, self.accounts = unit, unit.reads, unit.accounts

    def plan(self, view):
        """Decide it by what is odd about it."""
        return self.unit.plan(Odd(view))


class Odd:
    """Things as they stand, where every order is odd and is paid all the same."""

    def __init__(self, view):
        self.view = view

    def __getattr__(self, name):
        return getattr(self.view, name)

    def judge(self, _ordered):
        """Watch an order."""
        said = Reason("spike", "9 times what this device usually pays", acts=False)
        return Judgement(Act.ALLOW, Act.ASK, [said], ["bold"])


async def flag(world, buyer, shop):
    """Flag payments, of which two were looked at: one by two people, and one by one of two."""
    paid = [(await world.do(Flagged(world.pay(buyer, shop, 30 + n)))).payment for n in range(3)]
    for payment, people in ((paid[1], ["per_a"]), (paid[2], ["per_a", "per_b"])):
        for by in people:
            decide = DecideCase(case_name(payment), Verdict.FRAUD, "odd", by, four_eyes=True)
            await world.do(decide)


async def listen(world, owner):
    """Add webhooks, change one, remove one."""
    for number in (1, 2):
        ident = ids.name("whk", world.fresh())
        url = f"https://shop.example/{number}"
        await world.do(AddWebhook(ident, owner, url, "till", chosen(["payment.*"]), bytes(32)))
        await world.do(RotateWebhook(ident, owner, bytes(range(32)), 60))
        await world.do(SetWebhookState(ident, owner, "off"))
        await world.do(SetWebhookState(ident, owner, "on"))
    await world.do(TestWebhook(ident, owner))
    await world.do(ReplayWebhook(ident, owner, 0, UNTIL_ALWAYS, "rpl"))


async def let_in(world, owner):
    """Let two people sign in: one by a passkey, whose second was taken away, one not any more."""
    ada, bob = [Person(ids.name("per", world.fresh()), owner, n, ["owner"], 0) for n in "ab"]
    for person in (ada, bob):
        await world.do(InvitePerson(person, sign_in_code_hash(person.id), 600))
    first, second = [Passkey(f"key-{n}", ada.id, bytes((n,)) * 70, "phone", 1, 0) for n in (1, 2)]
    await world.do(AddPasskey(first, sign_in_code_hash(ada.id)))
    await world.do(AddPasskey(second))
    await world.do(RemovePasskey(second.id, ada.id, 1, 0))
    codes = [sign_in_code_hash("one"), sign_in_code_hash("two")]
    await world.do(MakeRecoveryCodes(ada.id, codes, 1))
    await world.do(LinkPerson(bob.id, sign_in_code_hash("again"), 600, 0))
    for number, subject in enumerate(("ada", "cid")):
        who = Person(ids.name("per", world.fresh()), owner, "c", ["owner"], 0)
        work = identity_id("https://login.example", subject)
        if subject == "ada":
            await world.do(LinkIdentity(work, ada.id))
        await world.do(SignInByIdentity(work, who, bytes((number,)) * 32, "Firefox", 60))
    await world.do(UnlinkIdentity(identity_id("https://login.example", "ada"), ada.id))
    await tell(world, ada.id)
    await world.do(RemovePerson(bob.id))


async def tell(world, person):
    """Say what somebody is told: by two addresses, of which one is not there any more."""
    for number in (1, 2):
        ident, place = ids.name("adr", world.fresh()), f"ada{number}@home.example"
        await world.do(AddAddress(ident, person, None, "email", place, "home", "123456"))
        await world.do(ProveAddress(ident, None, "654321"))
        await world.do(ProveAddress(ident, None, "123456"))
    await world.do(RemoveAddress(ident, None, "gone"))
    wishes = Wishes({about: Wish(["email"]) for about in Class}, ["22:00-07:00"])
    await world.do(SetWishes(person, None, wishes))
    [lane] = (
        await world.database.read(lambda tx: tx.fetch(NOTICE_LANES, [f"{person}/money"]))
    ).values()
    begun = (await world.do(BeginNotice(lane, lane.number + 16, []))).lane
    tried = NoticeTry(
        ids.name("ntr", world.fresh()), person, lane.owner, lane.notice, "money", "email", ident,
        1, 1, 250, "", 9, world.clock.now_ns,
    )  # fmt: skip
    await world.do(EndNotice(begun, [tried]))


async def administer(world):
    """Give keys, invite, enrol, rotate, revoke, offer, and listen."""
    owner = await world.owner()
    await listen(world, owner)
    await let_in(world, owner)
    key = ids.name("key", world.fresh())
    await world.do(CreateKey(key, owner, secret_hash("a"), [Scope.OWNER, Scope.READ], "mine"))
    await world.do(CreateKey(ids.name("key", world.fresh()), owner, secret_hash("b"), [], ""))
    await world.do(RevokeKey(key, None))
    account, mandate = await world.account(owner), await world.mandate(owner, DAY, ask_above=5)
    await world.do(world.set_mandate(owner, HOUR, ident=mandate.id, zone="Asia/Tokyo"))
    ends = world.clock.now_ns + 600 * NS
    for code in ("one", "two"):
        asked = Invitation(
            code_hash(code), ids.name("inv", world.fresh()), "", account, mandate.id, "", ends, ""
        )
        await world.do(InviteDevice(asked, None))
    first, second = (Ed25519Signer(bytes((n,)) * 32).public for n in (1, 2))
    device = await world.do(EnrolDevice(ids.name("dev", world.fresh()), code_hash("one"), first))
    await world.do(RotateKey(device.id, first, second, 60))
    await world.do(AssignMandate(device.id, (await world.mandate(owner)).id, None))
    await world.do(RevokeDevice(device.id, None))
    await world.do(world.revoke(mandate.id))
    for path in ("/one", "/two"):
        offer = OfferRecord(
            id=ids.name("off", world.fresh()), owner=owner, payee=account, method="GET", path=path,
            asset="USD", amount=5, description="water", listed_at="https://shop.example",
        )  # fmt: skip
        await world.do(SetOffer(offer, None, creates=True))
    await world.do(WithdrawOffer(offer.id, None))


async def paid(world, spender, payee, units, **terms):
    """Pay, and give the payment."""
    return (await world.do(world.pay(spender, payee, units, **terms))).payment


__all__ = ["CERTIFICATES", "NS", "ROOT", "AcceptRollback", "live", "paid"]
