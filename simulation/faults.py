"""Which kinds of fault there are, and how often each changed an outcome."""

from collections import Counter
from random import Random

KINDS = {
    "request-lost": "a request never came to the hub, and its client waited in vain",
    "answer-lost": "what the hub answered never came back, and its client waited in vain",
    "request-doubled": "a request came twice, and the hub served both",
    "request-late": "a request came to the hub after its client had given up waiting",
    "answer-late": "an answer came after its client had given up waiting",
    "request-overtaken": "a request came after one that its client had sent later",
    "connection-cut": "a connection broke while the hub was at work for it",
    "misdirected": "a request came to another hub than it was meant for, which refused it",
    "client-gone": "a client forgot what it had asked before it heard of it, and never asked again",
    "seller-gone": "a seller held money, and neither took it nor gave it back",
    "client-died": "a client's process ended after it had signed, and the next one went on from its"
    " journal",
    "handler-refused": "a shop's handler refused what was paid for, and the money went back",
    "handler-failed": "a shop's handler failed before it answered, and the money went back",
    "answer-broken": "a shop's handler broke off in the middle of an answer that was paid for",
    "answer-too-late": "a shop's handler took longer than it may, and the money went back",
    "hold-lost": "the hub ended while a lone hold was decided, and not written yet",
    "killed": "the hub's process ended between two steps, with requests unanswered",
    "killed-writing": "the hub's process ended in the middle of a commit",
    "power-cut": "the power failed between two steps: requests unanswered, or writes lost",
    "power-cut-writing": "the power failed in the middle of a commit, torn at sectors",
    "restarted": "the hub was stopped as its operator does, with requests unanswered",
    "hub-key-rotated": "the hub came up with another signing key than it went down with",
    "heads-cut": "a power cut took whole lines from the end of the heads file",
    "heads-torn": "a power cut tore the last line of the heads file",
    "write-failed": "the disk failed to write, with requests unanswered",
    "sync-failed": "the disk failed to sync, with requests unanswered",
    "disk-full": "the disk was full, with requests unanswered",
    "disk-slow": "a client gave up waiting while the hub's disk was slow",
    "clock-ahead": "the hub's clock jumped forward, and an order or a hold had run out by it",
    "clock-behind": "the hub's clock was behind its books after a jump, and it said so",
    "device-clock": "an order was refused for what its device's clock said",
    "mandate-revoked": "an order under way was refused, its mandate having been revoked meanwhile",
    "device-revoked": "an order under way was refused, its device having been revoked meanwhile",
    "key-rotated": "an order under way was refused, its key having been rotated out meanwhile",
    "account-frozen": "an order under way was refused, its account having been frozen meanwhile",
    "limit-lowered": "an order under way was refused, its limit having been lowered meanwhile",
}
"""What each fault is, and what has to follow for it to be counted."""

OFTEN = {
    "request-lost": 0.008,
    "answer-lost": 0.008,
    "request-doubled": 0.008,
    "request-late": 0.006,
    "answer-late": 0.006,
    "request-overtaken": 0.02,
    "connection-cut": 0.01,
    "misdirected": 0.004,
    "client-gone": 0.06,
    "seller-gone": 0.06,
    "client-died": 0.1,
    "device-clock": 0.004,
}
"""How probable those are that are drawn where they could happen."""


class Faults:
    """Draws faults, and counts those that changed something.

    Shape: `often` is how probable each kind is where it could happen; `calm` ends them all.
    """

    def __init__(self, luck: Random, often: dict[str, float]) -> None:
        self._luck, self._often = luck, often
        self.calm = True
        self.counted: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        """Draw whether a fault of this kind happens here."""
        drawn = self._luck.random()
        return not self.calm and drawn < self._often.get(kind, 0.0)

    def count(self, kind: str) -> None:
        """Note that one changed an outcome."""
        if kind not in KINDS:
            raise KeyError(kind)
        self.counted[kind] += 1
