"""Every command by its name: where it is, and what the list of commands says of it."""

from farthing.terminal.lazy import Later

TABLE = (
    Later(
        "init",
        "farthing.cli.serving:init",
        "Make a new hub: its keys, its books, the first owner, and an API key shown once.",
    ),
    Later("serve", "farthing.cli.serving:serve", "Start the hub."),
    Later(
        "proxy",
        "farthing.cli.selling:proxy",
        "Sell what a web service answers: the price file says what costs how much.",
    ),
    Later(
        "pay",
        "farthing.device.pay_command:pay",
        "Ask for a URL, and pay for it if it costs something, up to a limit.",
    ),
    Later(
        "enrol",
        "farthing.device.pay_command:enrol",
        "Enrol this machine as a device of a hub, with a one-time code.",
    ),
    Later(
        "rotate-key",
        "farthing.device.pay_command:rotate_key",
        "Give this device a new key, signed by the one it has.",
    ),
    Later(
        "protect-key",
        "farthing.device.protect_command:protect_key",
        "Put this device's key under a passphrase, or under a new one.",
    ),
    Later(
        "unprotect-key",
        "farthing.device.protect_command:unprotect_key",
        "Take the passphrase off this device's key.",
    ),
    Later("credit", "farthing.cli.money:credit", "Put test money into an account.", elsewhere=True),
    Later(
        "balances",
        "farthing.cli.money:balances",
        "Show every account and what it holds.",
        elsewhere=True,
    ),
    Later("payments", "farthing.cli.money:payments", "Show the newest payments.", elsewhere=True),
    Later(
        "fees",
        "farthing.cli.money:fees",
        "Show what fees came to: what was taken, for whom, and what went back.",
        elsewhere=True,
    ),
    Later(
        "api",
        "farthing.cli.calling:api",
        "Ask the hub's API, as the operator here or with $FARTHING_KEY elsewhere.",
        elsewhere=True,
    ),
    Later(
        "tail",
        "farthing.cli.calling:tail",
        "Show events as they happen; Ctrl-C ends it.",
        elsewhere=True,
    ),
    Later(
        "audit",
        "farthing.cli.auditing:audit",
        "Recompute every balance from history, check every head, and name the first broken row.",
    ),
    Later(
        "doctor",
        "farthing.cli.doctor:doctor",
        "Look at everything a hub stands on, and say what to do where it is not right.",
    ),
    Later(
        "backup",
        "farthing.cli.backing_up:backup",
        "Copy the books into one file, while the hub runs; with its keys only under a passphrase.",
    ),
    Later(
        "restore",
        "farthing.cli.backing_up:restore",
        "Put a backup in place, after an audit of all of it; the hub must be stopped.",
    ),
    Later(
        "explain",
        "farthing.cli.explaining:explain",
        "Say what a code means and what to do: "
        "a problem, a refusal, an event, a log line, an exit.",
    ),
    Later(
        "deploy-files",
        "farthing.cli.deploying:deploy_files",
        "Write systemd units, Prometheus rules and a Grafana dashboard into a folder.",
    ),
    Later(
        "upgrade-check",
        "farthing.cli.backing_up:upgrade_check",
        "Try this version's migrations on a copy of the books, and audit the copy.",
    ),
    Later(
        "demo-data",
        "farthing.cli.sampling:demo_data",
        "Fill a fresh hub with test owners, accounts, devices, mandates, offers and payments.",
    ),
    Later(
        "demo",
        "farthing.cli.demoing:demo",
        "Watch machines pay machines: a hub, three shops and a fleet on this computer.",
    ),
    Later("config", "farthing.cli.configuring:config_app", "The configuration."),
    Later("prices", "farthing.cli.pricing:prices_app", "What costs how much."),
    Later("books", "farthing.cli.moving:books_app", "The books."),
    Later("risk", "farthing.cli.risking:risk_app", "What is odd about orders."),
    Later("cases", "farthing.cli.cases:cases_app", "What was flagged or stopped."),
    Later("receipt", "farthing.cli.auditing:receipt_app", "Receipts."),
    Later("owners", "farthing.cli.owning:owners_app", "Owners."),
    Later("people", "farthing.cli.peopling:people_app", "Who signs in to the pages."),
    Later("accounts", "farthing.cli.owning:accounts_app", "Accounts."),
    Later("mandates", "farthing.cli.mandates:mandates_app", "What devices may spend."),
    Later("devices", "farthing.cli.admin:devices_app", "Devices."),
    Later("offers", "farthing.cli.admin:offers_app", "Price tags."),
    Later("topups", "farthing.cli.movements:topups_app", "Money in, by rails."),
    Later("payouts", "farthing.cli.movements:payouts_app", "Money out, by rails."),
    Later("webhooks", "farthing.cli.webhooks:webhooks_app", "Where events are sent."),
    Later("notices", "farthing.cli.noticing:notices_app", "What people are told, and where."),
    Later("keys", "farthing.cli.keys:keys_app", "API keys."),
    Later("hub-keys", "farthing.cli.keys:hub_keys_app", "The hub's own signing keys."),
)
