"""A payment that asks is approved from a pushed notice: what the hub encrypts, a browser is given.

No push service can be reached here, so that the way has two halves: the page subscribes with keys
of ours, and the hub's push is received and decrypted; then Chromium's own tools hand it to the
service worker.
"""

import json
import time
from typing import Any

from playwright.sync_api import Worker, expect

from tests.notifiers.subscriber import Subscriber
from tests.receiver import Receiver, receiving

from .chromium import Chromium, Hub, Person

SUBSCRIBED = """(told) => {
    let kept = null;
    const made = { ...told, toJSON: () => told, unsubscribe: async () => { kept = null; } };
    PushManager.prototype.getSubscription = async () => kept;
    PushManager.prototype.subscribe = async (asked) => {
        if (!asked.userVisibleOnly || !asked.applicationServerKey) throw new Error("ask well");
        return (kept = made);
    };
}"""
"""A push service of our own, for a browser that reaches none."""

SHOWN = """async () => (await registration.getNotifications()).map((one) => ({
    title: one.title, body: one.body, tag: one.tag, actions: one.actions.map((each) => each.action),
}))"""
PRESSED = """async ([tag, action]) => {
    const [notification] = await registration.getNotifications({ tag });
    dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
}"""
"""No tool of Chromium's presses a notice that is shown without a screen, so the worker is given the
event that pressing one makes: its own listener hears it."""

MOVED = """async ([before, told]) => {
    const made = { ...told, toJSON: () => told };
    PushManager.prototype.subscribe = async (asked) => {
        if (!asked.userVisibleOnly || !asked.applicationServerKey) throw new Error("ask well");
        return made;
    };
    const event = new ExtendableEvent("pushsubscriptionchange");
    dispatchEvent(Object.assign(event, { oldSubscription: { endpoint: before } }));
}"""
"""A push service gives the browser another place, and says so to its worker."""


def pushed(receiver: Receiver, browser: Subscriber, payment: str) -> str:
    """Wait for the push about a payment, and decrypt it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for got in list(receiver.got):
            told = browser.read(got.body)
            if told["subject"] == payment:
                return json.dumps(told)
        time.sleep(0.05)
    raise AssertionError("it was not pushed")


class Phone:
    """A person's browser with its service worker."""

    def __init__(self, person: Person, hub: Hub) -> None:
        self.person, self.hub = person, hub
        self.registration = ""
        person.devtools.on("ServiceWorker.workerRegistrationUpdated", self._seen)
        person.devtools.send("ServiceWorker.enable")
        person.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def _seen(self, told: Any) -> None:
        for one in told["registrations"]:
            self.registration = one["registrationId"]

    @property
    def worker(self) -> Worker:
        return self.person.context.service_workers[0]

    def deliver(self, payload: str) -> dict[str, Any]:
        """Hand a push to the service worker, and give the notice that it shows."""
        wanted = {"origin": self.hub.url, "registrationId": self.registration, "data": payload}
        self.person.devtools.send("ServiceWorker.deliverPushMessage", wanted)
        tag = json.loads(payload)["tag"]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [one for one in self.worker.evaluate(SHOWN) if one["tag"] == tag]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("no notice is shown")

    def press(self, notice: dict[str, Any], action: str) -> None:
        """Press a button of a notice; `""` is the notice itself."""
        self.worker.evaluate(PRESSED, [notice["tag"], action])

    def moved(self, before: str, anew: dict[str, Any]) -> None:
        """Give the browser another place for pushes."""
        self.worker.evaluate(MOVED, [before, anew])


def comes_to(hub: Hub, payment: str, state: str) -> None:
    """Wait until a payment is in this state."""
    deadline = time.monotonic() + 10
    while (found := hub.ask("GET", f"/v1/payments/{payment}")["state"]) != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def subscribed(ada: Person, hub: Hub, place: str, browser: Subscriber) -> Phone:
    """Have a person's browser told of what happens, amounts and all."""
    ada.context.grant_permissions(["notifications"], origin=hub.url)
    told = json.dumps(browser.subscription(place))
    ada.page.evaluate(f"({SUBSCRIBED})({told})")
    ada.page.add_init_script(f"({SUBSCRIBED})({told})")
    phone, page = Phone(ada, hub), ada.page
    page.goto(f"{hub.url}/account/notices")
    page.get_by_label("Show amounts and names").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Tell me in this browser").click()
    expect(page.locator("#where-head + .plain")).to_contain_text("in a browser")
    return phone


def test_an_ask_is_pushed_and_answered_from_its_notice(chromium: Chromium, hub: Hub):
    owner = hub.owner("Night Trains")
    shop = hub.account(hub.owner("Water"), "till")
    train = hub.enrol(owner, hub.account(owner, "trains", 90_000_000), "Train 8", ask_above="1")
    browser = Subscriber()
    with receiving() as receiver, chromium.person() as ada:
        page = ada.join(hub.link(owner, "Ada"))
        phone = subscribed(ada, hub, f"{receiver.url}/push", browser)

        small = hub.pay(train, shop, 4_200_000, "POST /water").json()
        notice = phone.deliver(pushed(receiver, browser, small["id"]))
        assert "4.2 USD" in notice["body"]
        assert "4.2" not in notice["title"]
        assert notice["actions"] == ["approve", "deny"]
        phone.press(notice, "approve")
        comes_to(hub, small["id"], "captured")
        notices = hub.ask("GET", "/v1/notices")["items"]
        assert "shown" in [one["way"] for one in notices]  # The browser has said so.

        # It says why it came, and what asks nothing leads to where its like is told otherwise.
        assert "This came because you are told about" in notice["body"]
        hub.enrol(owner, hub.account(owner, "spare"), "Train 9")
        other = phone.deliver(pushed(receiver, browser, ""))
        assert other["actions"] == ["more"]
        phone.press(other, "more")
        page.wait_for_url("**/account/notices")

        # Above the passkey's limit it cannot be approved from the notice: the page opens.
        large = hub.pay(train, shop, 25_000_000, "POST /water").json()
        notice = phone.deliver(pushed(receiver, browser, large["id"]))
        assert notice["actions"] == ["deny"]
        phone.press(notice, "approve")  # As somebody would who has changed the worker.
        page.wait_for_url(f"**/wallet/payments/{large['id']}")
        assert hub.ask("GET", f"/v1/payments/{large['id']}")["state"] == "awaiting"
        other = hub.pay(train, shop, 3_000_000, "POST /water").json()
        notice = phone.deliver(pushed(receiver, browser, other["id"]))
        phone.press(notice, "deny")
        comes_to(hub, other["id"], "refused")

        # Its push service gives the browser another place: the next ask goes there.
        anew = Subscriber()
        phone.moved(f"{receiver.url}/push", anew.subscription(f"{receiver.url}/anew"))
        deadline = time.monotonic() + 10
        while [one["place"] for one in addresses(hub, owner)] != [f"{receiver.url}/anew"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        receiver.got.clear()
        last = hub.pay(train, shop, 2_000_000, "POST /water").json()
        phone.deliver(pushed(receiver, anew, last["id"]))

        # Who signs out is told nothing in this browser any more.
        page.goto(f"{hub.url}/account")
        page.locator("form[action='/sign-out'] button").click()
        page.wait_for_url("**/sign-in")
        assert addresses(hub, owner) == []


def addresses(hub: Hub, owner: str) -> list[dict[str, Any]]:
    """List where an owner's only person is told, those that are not removed."""
    people = hub.ask("GET", "/v1/people")["items"]
    [person] = [one["id"] for one in people if one["owner"] == owner]
    return hub.ask("GET", f"/v1/people/{person}/notices")["addresses"]
