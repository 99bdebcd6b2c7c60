"""The pure decision against the independent model."""

from hypothesis import settings

from tests.machines.ledger_machine import LedgerMachine

TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
