"""Pages for people: the wallet, and how one signs in. Nothing to build, nothing from elsewhere."""
