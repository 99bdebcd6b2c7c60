"""What notices say, in each language: what happened, why it came, and how to stop its like.

A language is one table more. A text never holds what an owner wrote: names can be changed after it.
"""

from typing import NamedTuple

from farthing.core.notices import LANGUAGES, Class, Told, Wishes
from farthing.money import Amount, Asset


class Text(NamedTuple):
    """A notice as it is read. Shape: `title` may be seen by others, on a lock screen."""

    title: str
    body: str
    why: str
    stop: str


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
_KINDS = {
    "en": {
        "payment.awaiting": "A payment waits for your answer",
        "key.created": "An API key was made",
        "key.revoked": "An API key was revoked",
        "device.invited": "A code to enrol a device was made",
        "device.enrolled": "A device was enrolled",
        "device.rotated": "A device has a new key",
        "device.revoked": "A device was revoked",
        "webhook.added": "Events are sent to a new URL",
        "webhook.rotated": "A webhook has a new secret",
        "account.frozen": "An account was frozen",
        "payment.captured": "A payment was made",
        "payment.refunded": "A payment was refunded",
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
        "offer.set": "An offer was put up or changed",
        "offer.withdrawn": "An offer was withdrawn",
        "payment.refused": "A payment was refused",
        "webhook.disabled": "A webhook was turned off",
        "webhook.gave_up": "An event could not be delivered to a webhook",
    },
    "de": {
        "payment.awaiting": "Eine Zahlung wartet auf Ihre Antwort",
        "key.created": "Ein API-Schlüssel wurde angelegt",
        "key.revoked": "Ein API-Schlüssel wurde widerrufen",
        "device.invited": "Ein Code zum Anmelden eines Geräts wurde erzeugt",
        "device.enrolled": "Ein Gerät wurde angemeldet",
        "device.rotated": "Ein Gerät hat einen neuen Schlüssel",
        "device.revoked": "Ein Gerät wurde gesperrt",
        "webhook.added": "Ereignisse gehen an eine neue URL",
        "webhook.rotated": "Ein Webhook hat ein neues Geheimnis",
        "account.frozen": "Ein Konto wurde eingefroren",
        "payment.captured": "Eine Zahlung wurde ausgeführt",
        "payment.refunded": "Eine Zahlung wurde erstattet",
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
        "{count} times",
    ),
    "de": (
        "Sie erhalten dies, weil Sie über „{title}“ benachrichtigt werden.",
        "Solche Nachrichten abbestellen: {url}",
        "{count}-mal",
    ),
}


def written(told: Told, wishes: Wishes, assets: dict[str, Asset], stop_url: str) -> Text:
    """Write a notice in its reader's language.

    Shape: equal kinds are one line with how often, and with what they come to where the reader lets
           amounts be shown.
    """
    language = wishes.language if wishes.language in LANGUAGES else LANGUAGES[0]
    kinds, (why, stop, often) = _KINDS[language], _SENTENCES[language]
    title = _TITLES[language][told.about]
    lines: list[str] = []
    for kind in dict.fromkeys(event.kind for event in told.events):
        count = sum(event.kind == kind for event in told.events)
        line = kinds[kind] + (f" ({often.format(count=count)})" if count > 1 else "")
        sums = _sums(told, kind, assets) if wishes.shows_amounts else ""
        lines.append(f"{line}: {sums}" if sums else f"{line}.")
    return Text(title, "\n".join(lines), why.format(title=title), stop.format(url=stop_url))


def _sums(told: Told, kind: str, assets: dict[str, Asset]) -> str:
    totals: dict[str, int] = {}
    for event in told.events:
        code = event.body.get("asset", "")
        if event.kind == kind and code in assets:
            units = event.body.get("captured", event.body.get("units", "0"))
            totals[code] = totals.get(code, 0) + int(units)
    return ", ".join(str(Amount(units, assets[code])) for code, units in totals.items() if units)
