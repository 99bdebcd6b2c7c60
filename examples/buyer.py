"""Buy a page with a device's purse: python examples/buyer.py PURSE URL."""

import sys
from pathlib import Path

from farthing.device import open_purse, paid, sync_client

purse = open_purse(Path(sys.argv[1]))
with sync_client(purse, cap="0.01 USD") as http:
    answer = http.get(sys.argv[2])
print(answer.text)
print(paid(answer) or "nothing was asked for it", file=sys.stderr)
