# pyright: basic, reportMissingImports=false
"""What payers and servers on the local chain have in common."""

import os

from eth_account import Account

PRICE = 1500
"""A millionth of a dollar each: 0.0015."""

DOMAIN = {"name": "Bench Dollar", "version": "1"}
PAGE = {"temperature": 21.5}
URL, NETWORK = os.environ["CHAIN_URL"], os.environ["CHAIN_NETWORK"]
DOLLAR = os.environ["CHAIN_DOLLAR"]


def account(number: int):
    """Give an account of the chain's mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{number}"
    return Account.from_mnemonic(os.environ["CHAIN_MNEMONIC"], account_path=path)
