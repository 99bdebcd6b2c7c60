"""The payer's side: a purse, a client that pays, and nothing of the server."""

from farthing.device.at_most import AtMost
from farthing.device.bought_socket import BoughtSocket
from farthing.device.client import Client, paid, promised, unproven
from farthing.device.enrolment import enrol, rotate
from farthing.device.gateway import Gateway, direct_order
from farthing.device.giving_up import GivenUp
from farthing.device.metered import MeteredSession
from farthing.device.outcomes import (
    AlreadyPaid,
    AnswerLost,
    AwaitingOwner,
    Paid,
    Promised,
    Unproven,
    WillNotPay,
)
from farthing.device.patience import Patience
from farthing.device.paying_transport import PayingTransport
from farthing.device.purse import Membership, Purse, open_purse
from farthing.device.sync import SyncClient, sync_client

__all__ = [
    "AlreadyPaid",
    "AnswerLost",
    "AtMost",
    "AwaitingOwner",
    "BoughtSocket",
    "Client",
    "Gateway",
    "GivenUp",
    "Membership",
    "MeteredSession",
    "Paid",
    "Patience",
    "PayingTransport",
    "Promised",
    "Purse",
    "SyncClient",
    "Unproven",
    "WillNotPay",
    "direct_order",
    "enrol",
    "open_purse",
    "paid",
    "promised",
    "rotate",
    "sync_client",
    "unproven",
]
