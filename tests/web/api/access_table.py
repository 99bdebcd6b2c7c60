"""Who may ask what, and about whose things: what is meant, and every endpoint is held to it.

The page docs/reference/access.md is written from this table, and `test_access` asks each endpoint
as everybody about everything. An endpoint that is not in the table fails the test.
"""

from typing import NamedTuple

KEYS = ("owner", "seller", "read", "metrics")
"""The scopes of a key, beside the operator's, which opens everything."""

EVERYBODY = frozenset({"nobody", "device", *KEYS})

# Who: scopes of a key; `device` with its own signature; `nobody` without any proof; `anybody`.
# Whose: the side of the thing on which the asker has to be; a device sees its own payments alone.
TABLE = """
GET  /.well-known/farthing              | anybody                  |
GET  /openapi.json                      | anybody                  |
GET  /healthz                           | anybody                  |
GET  /readyz                            | anybody                  |
GET  /v1/hub                            | operator                 |
GET  /metrics                           | metrics                  |
POST /v1/payments                       | anybody                  | | the order is signed by its device
POST /v1/payments/batch                 | anybody                  | | each order, or all of them, are signed by their device
GET  /v1/payments                       | owner seller read device | | shows what the asker pays or is paid
POST /v1/payments/cancel                | anybody                  | | the order's device signs that it is never to be paid
POST /v1/payments/authorise             | seller                   | payee | the order is signed by its device
GET  /v1/payments/{payment}             | owner seller read device | payer payee
POST /v1/payments/{payment}/capture     | seller                   | payee
POST /v1/payments/{payment}/void        | seller                   | payee
POST /v1/payments/{payment}/delivery    | seller                   | payee
POST /v1/payments/{payment}/refunds     | seller                   | payee
GET  /v1/payments/{payment}/refunds     | owner seller read        | payer payee
POST /v1/payments/{payment}/approve     | owner                    | payer
POST /v1/payments/{payment}/deny        | owner                    | payer
POST /v1/sessions                       | anybody                  | | the order is signed by its device
GET  /v1/sessions                       | owner seller read device | | shows what the asker pays or is paid
GET  /v1/sessions/{session}             | owner seller read device | payer payee
POST /v1/sessions/{session}/deposits    | anybody                  | | the order is signed by its device
POST /v1/sessions/{session}/vouchers    | anybody                  | | the voucher is signed by the session's device; late ones as its payee
POST /v1/vouchers                       | anybody                  | | each voucher is signed by its session's device; late ones as their payee
POST /v1/sessions/{session}/ticks       | anybody                  | | the tick is of a ladder that the session's device signed; late ones as its payee
POST /v1/ticks                          | anybody                  | | each tick is of a ladder that its session's device signed; late ones as their payee
POST /v1/accounts/{account}/ticks       | anybody                  | | each tick is of a ladder that its session's device signed; late ones as the payee
POST /v1/sessions/{session}/end         | owner device             | payer
POST /v1/sessions/{session}/close       | seller                   | payee
GET  /v1/events                         | owner seller read        | | shows the asker's own
GET  /v1/payments/export                | owner seller read        | | shows what the asker pays or is paid
POST /v1/owners                         | operator                 |
GET  /v1/owners                         | operator                 |
POST /v1/keys                           | owner                    | owner | scopes that the asker has, or `read`
GET  /v1/keys                           | owner                    | | shows the asker's own
POST /v1/keys/{key}/revoke              | owner                    | owner
POST /v1/people                         | operator                 |
GET  /v1/people                         | operator                 |
POST /v1/people/{person}/links          | operator                 |
POST /v1/people/{person}/remove         | operator                 |
GET  /v1/people/{person}/notices        | owner read               | owner
PUT  /v1/people/{person}/notices        | owner                    | owner
POST /v1/people/{person}/addresses      | owner                    | owner
POST /v1/addresses/{address}/code       | owner                    | owner
POST /v1/addresses/{address}/prove      | owner                    | owner
POST /v1/addresses/{address}/remove     | owner                    | owner
GET  /v1/notices                        | owner read               | | shows what was told to the asker's people
POST /v1/accounts                       | owner                    | owner
GET  /v1/accounts                       | owner seller read        | | shows the asker's own
GET  /v1/accounts/{account}             | owner seller read        | owner
POST /v1/accounts/{account}/freeze      | owner                    | owner
POST /v1/accounts/{account}/unfreeze    | owner                    | owner | not what the operator froze
POST /v1/accounts/{account}/close       | owner                    | owner
GET  /v1/fees                           | owner seller read        | | shows what the asker's accounts were given
POST /v1/credits                        | operator                 |
POST /v1/mandates                       | owner                    | owner
GET  /v1/mandates                       | owner seller read        | | shows the asker's own
GET  /v1/mandates/{mandate}             | owner seller read        | owner
PUT  /v1/mandates/{mandate}             | owner                    | owner
POST /v1/mandates/{mandate}/revoke      | owner                    | owner
POST /v1/mandates/{mandate}/decline     | owner                    | owner
POST /v1/devices/invitations            | owner                    | owner
POST /v1/devices/enrol                  | anybody                  | | with a code, once
GET  /v1/devices                        | owner seller read        | | shows the asker's own
GET  /v1/devices/{device}               | owner seller read        | owner
POST /v1/devices/{device}/rotate        | anybody                  | | the old and the new key sign
POST /v1/devices/{device}/revoke        | owner                    | owner
PUT  /v1/devices/{device}/mandate       | owner                    | owner
POST /v1/offers                         | owner seller             | owner
GET  /v1/offers                         | owner seller read        | | shows the asker's own
PUT  /v1/offers/{offer}                 | owner seller             | owner
POST /v1/offers/{offer}/withdraw        | owner seller             | owner
POST /v1/topups                         | owner                    | owner
GET  /v1/topups                         | owner seller read        | | shows the asker's own
GET  /v1/topups/{topup}                 | owner seller read        | owner
POST /v1/payouts                        | owner                    | owner
GET  /v1/payouts                        | owner seller read        | | shows the asker's own
GET  /v1/payouts/{payout}               | owner seller read        | owner
GET  /v1/cases                          | operator                 |
GET  /v1/cases/{case}                   | operator                 |
POST /v1/cases/{case}/decide            | operator                 |
POST /v1/webhooks                       | owner seller             | owner
GET  /v1/webhooks                       | owner seller read        | | shows the asker's own
GET  /v1/webhooks/{webhook}             | owner seller read        | owner
POST /v1/webhooks/{webhook}/rotate      | owner seller             | owner
POST /v1/webhooks/{webhook}/enable      | owner seller             | owner
POST /v1/webhooks/{webhook}/disable     | owner seller             | owner
POST /v1/webhooks/{webhook}/remove      | owner seller             | owner
POST /v1/webhooks/{webhook}/test        | owner seller             | owner
POST /v1/webhooks/{webhook}/replay      | owner seller             | owner
GET  /v1/webhooks/{webhook}/deliveries  | owner seller read        | owner
GET  /discovery/resources               | anybody                  | | shows what sellers list
GET  /llms.txt                          | anybody                  |
GET  /supported                         | anybody                  |
POST /verify                            | nobody seller            | payee | without a key only form, signature and time
POST /settle                            | seller                   | payee
"""  # noqa: E501 - a row is a line


class Row(NamedTuple):
    """What one endpoint is meant to allow."""

    method: str
    path: str
    who: frozenset[str]
    whose: frozenset[str]
    note: str

    @property
    def request(self) -> str:
        return f"{self.method} {self.path}"

    def admits(self, role: str) -> bool:
        """Tell whether a role may ask at all; the operator may ask everything."""
        return role == "operator" or role in self.who


def _row(line: str) -> Row:
    cells = [cell.strip() for cell in line.split("|")]
    method, path = cells[0].split()
    who = EVERYBODY if cells[1] == "anybody" else frozenset(cells[1].split()) - {"operator"}
    return Row(method, path, who, frozenset(cells[2].split()), (cells[3:] or [""])[0])


ROWS = [_row(line) for line in TABLE.strip().splitlines()]
