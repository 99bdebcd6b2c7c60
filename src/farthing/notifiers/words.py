"""What notices say, in each language: what happened, why it came, and how to stop its like.

A language is one table more. A text holds nothing that others wrote, but whom an ask would pay,
where its reader lets amounts be shown.
"""

from collections.abc import Mapping, Sequence

from farthing.core.events import Event
from farthing.core.notices import LANGUAGES, Class, Told, Wishes
from farthing.money import Amount, Asset
from farthing.notifiers.base import Action, Text

_TITLES = {
    "en": {
        Class.SECURITY: "Security",
        Class.MONEY: "Money moved",
        Class.ACCOUNT: "Your account",
        Class.SUMMARY: "Summary",
    },
    "de": {
        Class.SECURITY: "Sicherheit",
        Class.MONEY: "Geld wurde bewegt",
        Class.ACCOUNT: "Ihr Konto",
        Class.SUMMARY: "Überblick",
    },
}
_ASKED = {"en": "Your answer is wanted", "de": "Ihre Antwort ist gefragt"}
_KINDS = {
    "en": {
        "payment.awaiting": "A payment waits for your answer",
        "payment.first_approval": "A payment was approved by one of two and waits for your answer",
        "key.created": "An API key was made",
        "key.revoked": "An API key was revoked",
        "device.invited": "A code to enrol a device was made",
        "device.enrolled": "A device was enrolled",
        "device.rotated": "A device has a new key",
        "device.revoked": "A device was revoked",
        "webhook.added": "Events are sent to a new URL",
        "webhook.rotated": "A webhook has a new secret",
        "account.frozen": "An account was frozen",
        "passkey.added": "A passkey was added",
        "passkey.removed": "A passkey was taken away",
        "recovery_codes.made": "Recovery codes were made",
        "person.invited": "Somebody was invited to sign in",
        "person.provisioned": "Somebody came by your organisation, or has other roles",
        "identity.linked": "Somebody may sign in by their organisation",
        "identity.unlinked": "Somebody signs in by their organisation no more",
        "person.removed": "Somebody may not sign in any more",
        "notices.set": "What you are told was changed",
        "address.proven": "You are told at one more address",
        "address.removed": "You are not told at an address any more",
        "payment.flagged": "A payment looked odd",
        "payment.captured": "You paid",
        "payment.captured in": "You were paid",
        "payment.refunded": "You got money back",
        "payment.refunded in": "You gave money back",
        "payment.delivery_incomplete": "What was paid was not delivered whole",
        "account.credited": "An account got test money",
        "session.closed": "A session was closed",
        "topup.settled": "Money came in",
        "topup.failed": "No money came in",
        "payout.settled": "Money was paid out",
        "payout.failed": "Money could not be paid out",
        "account.opened": "An account was opened",
        "account.unfrozen": "An account is open again",
        "account.closed": "An account was closed",
        "mandate.set": "What a device may spend was changed",
        "mandate.revoked": "A mandate was revoked",
        "mandate.proposed": "Somebody wants two people to approve less; it takes a second one",
        "mandate.declined": "What somebody wanted of two-person approval was declined",
        "offer.set": "An offer was put up or changed",
        "offer.withdrawn": "An offer was withdrawn",
        "payment.refused": "A payment was refused",
        "webhook.disabled": "A webhook was turned off",
        "webhook.gave_up": "An event could not be delivered to a webhook",
    },
    "de": {
        "payment.awaiting": "Eine Zahlung wartet auf Ihre Antwort",
        "payment.first_approval": "Einer von zweien hat zugestimmt; eine Zahlung wartet auf Sie",
        "key.created": "Ein API-Schlüssel wurde angelegt",
        "key.revoked": "Ein API-Schlüssel wurde widerrufen",
        "device.invited": "Ein Code zum Anmelden eines Geräts wurde erzeugt",
        "device.enrolled": "Ein Gerät wurde angemeldet",
        "device.rotated": "Ein Gerät hat einen neuen Schlüssel",
        "device.revoked": "Ein Gerät wurde gesperrt",
        "webhook.added": "Ereignisse gehen an eine neue URL",
        "webhook.rotated": "Ein Webhook hat ein neues Geheimnis",
        "account.frozen": "Ein Konto wurde eingefroren",
        "passkey.added": "Ein Passkey wurde hinzugefügt",
        "passkey.removed": "Ein Passkey wurde entfernt",
        "recovery_codes.made": "Wiederherstellungscodes wurden erzeugt",
        "person.invited": "Jemand wurde zum Anmelden eingeladen",
        "person.provisioned": "Jemand kam über Ihre Organisation oder hat andere Rollen",
        "identity.linked": "Jemand darf sich über seine Organisation anmelden",
        "identity.unlinked": "Jemand meldet sich nicht mehr über seine Organisation an",
        "person.removed": "Jemand darf sich nicht mehr anmelden",
        "notices.set": "Ihre Benachrichtigungen wurden geändert",
        "address.proven": "Sie werden über eine weitere Adresse benachrichtigt",
        "address.removed": "Über eine Adresse werden Sie nicht mehr benachrichtigt",
        "payment.flagged": "Eine Zahlung war ungewöhnlich",
        "payment.captured": "Sie haben bezahlt",
        "payment.captured in": "Sie wurden bezahlt",
        "payment.refunded": "Sie haben Geld zurückbekommen",
        "payment.refunded in": "Sie haben Geld zurückgegeben",
        "payment.delivery_incomplete": "Bezahltes wurde nicht vollständig geliefert",
        "account.credited": "Ein Konto erhielt Testgeld",
        "session.closed": "Eine Sitzung wurde abgeschlossen",
        "topup.settled": "Geld ist eingegangen",
        "topup.failed": "Es ist kein Geld eingegangen",
        "payout.settled": "Geld wurde ausgezahlt",
        "payout.failed": "Geld konnte nicht ausgezahlt werden",
        "account.opened": "Ein Konto wurde eröffnet",
        "account.unfrozen": "Ein Konto ist wieder offen",
        "account.closed": "Ein Konto wurde geschlossen",
        "mandate.set": "Was ein Gerät ausgeben darf, wurde geändert",
        "mandate.revoked": "Ein Mandat wurde widerrufen",
        "mandate.proposed": "Jemand will, dass seltener zwei zustimmen; ein Zweiter entscheidet",
        "mandate.declined": "Eine gewünschte Lockerung der Zustimmung zu zweit wurde abgelehnt",
        "offer.set": "Ein Angebot wurde eingestellt oder geändert",
        "offer.withdrawn": "Ein Angebot wurde zurückgezogen",
        "payment.refused": "Eine Zahlung wurde abgelehnt",
        "webhook.disabled": "Ein Webhook wurde abgeschaltet",
        "webhook.gave_up": "Ein Ereignis konnte einem Webhook nicht zugestellt werden",
    },
}
_SENTENCES = {
    "en": (
        "This came because you are told about “{title}”.",
        "Stop such notices: {url}",
        "These always come. Say where and how: {url}",
        "{count} times",
        "{count} times and more",
        "Your code: {code}",
        "Enter it where you asked for it, within 15 minutes. If it was not you, do nothing.",
        "Approve",
        "Deny",
    ),
    "de": (
        "Sie erhalten dies, weil Sie über „{title}“ benachrichtigt werden.",
        "Solche Nachrichten abbestellen: {url}",
        "Diese Nachrichten kommen immer. Wohin und wie, bestimmen Sie: {url}",
        "{count}-mal",
        "mehr als {count}-mal",
        "Ihr Code: {code}",
        "Geben Sie ihn binnen 15 Minuten dort ein. Waren Sie das nicht, tun Sie nichts.",
        "Zustimmen",
        "Ablehnen",
    ),
}


def _of(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]


def written(
    told: Told, wishes: Wishes, assets: Mapping[str, Asset], url: str, payee: str = ""
) -> Text:
    """Write a notice in its reader's language. `url` is where its like is stopped, or changed.

    Shape: `payee` is who would get what an owner is asked about, shown where amounts are. Equal
           kinds are one line with how often, and with what they come to where the reader lets
           amounts be shown.
    """
    language = _of(wishes.language)
    kinds, (why, stop, always, often, oftener, *_) = _KINDS[language], _SENTENCES[language]
    title = _TITLES[language][told.about]
    lines: list[str] = []
    for name, events in _by_name(told, kinds).items():
        line, count = kinds[name], len(events)
        if count > 1:
            line += f" ({(oftener if told.more else often).format(count=count)})"
        sums = _sums(events, assets) if wishes.shows_amounts and not told.more else ""
        if sums and payee:
            sums = f"{sums} → {payee}"
        lines.append(f"{line}: {sums}" if sums else f"{line}.")
    stopped = always if told.about is Class.SECURITY else stop
    shown = _ASKED[language] if told.lane.name == "asks" else title
    return Text(shown, "\n".join(lines), why.format(title=title), stopped.format(url=url))


def code_written(language: str, code: str) -> Text:
    """Write what proves an address: the code, and what it is for."""
    *_, told, enter, _, _ = _SENTENCES[_of(language)]
    return Text("Farthing", told.format(code=code), enter, "")


def answers_written(language: str) -> Sequence[Action]:
    """Write what an ask can be answered with."""
    *_, approve, deny = _SENTENCES[_of(language)]
    return Action("approve", approve), Action("deny", deny)


_MORE = {
    "en": ("Where and how", "Stop these"),
    "de": ("Wohin und wie", "Abbestellen"),
}


def more_written(language: str, *, stops: bool) -> Action:
    """Write what leads to where a notice's like is stopped, or told otherwise."""
    return Action("more", _MORE[_of(language)][stops])


_UNITS = {
    "payment.awaiting": "amount",
    "payment.first_approval": "amount",
    "payment.refunded": "refunded",
}


def _by_name(told: Told, kinds: Mapping[str, str]) -> dict[str, list[Event]]:
    """Put events that are told alike together: what comes in is told otherwise than what goes."""
    found: dict[str, list[Event]] = {}
    for event in told.events:
        name = f"{event.kind} in"
        name = name if name in kinds and told.comes_in(event) else event.kind
        found.setdefault(name, []).append(event)
    return found


def _sums(events: Sequence[Event], assets: Mapping[str, Asset]) -> str:
    totals: dict[str, int] = {}
    for event in events:
        code, body = event.body.get("asset", ""), event.body
        if code in assets:
            units = body.get(_UNITS.get(event.kind, "captured"), body.get("units", "0"))
            totals[code] = totals.get(code, 0) + int(units)
    return ", ".join(str(Amount(units, assets[code])) for code, units in totals.items() if units)
