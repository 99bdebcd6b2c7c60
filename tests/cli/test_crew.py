"""Who starts workers and ends them: a signal reaches also one that has just been forked."""

import signal
import subprocess
import sys

_PATIENCE_SECONDS = 30

SLOW_TO_FORGET = """
import os, signal, sys, time
from farthing.cli.crew import Crew

wakes_by = signal.set_wakeup_fd

def forgets_slowly(descriptor, **more):
    before = wakes_by(descriptor, **more)
    if descriptor == -1:
        print("forgets", flush=True)
        time.sleep(1)
    return before

signal.set_wakeup_fd = forgets_slowly

def work(seat):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    seat.tell("READY=1")
    while os.read(seat.starter, 1):
        pass
    return 0

sys.exit(Crew(1, work, lambda: None).run())
"""


def test_a_worker_that_was_just_forked_is_told_to_end_as_well():
    command = [sys.executable, "-c", SLOW_TO_FORGET]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"forgets\n"
        # The worker has its starter's handlers still, and nobody is woken by them any more.
        starter.send_signal(signal.SIGTERM)
        try:
            assert starter.wait(_PATIENCE_SECONDS) == 0
        finally:
            starter.kill()
