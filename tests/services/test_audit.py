"""The audit: right books pass, and whatever is changed in them is found and named."""

import pytest

from farthing.core.audit_records import STATED
from farthing.core.chain import Head, leaf_digest, merkle_levels, root_of, sign_head
from farthing.core.payments import PAYMENTS
from farthing.keys import Ed25519Signer
from farthing.services.audit import audit
from tests.conftest import SIGNER
from tests.effort import REPEATED, draw
from tests.services.lived_in import ROOT, live

TRANSFER = [
    "id",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "ledger",
    "code",
    "flags",
    "pending_id",
    "user_data",
    "timeout",
    "timestamp",
    "leaf",
    "debit_previous",
    "credit_previous",
]
ACCOUNT = ["id", "ledger", "code", "user_data", "timestamp", "leaf"]
BALANCES = [
    "flags",
    "debits_pending",
    "debits_posted",
    "credits_pending",
    "credits_posted",
    "newest",
]
LEAF = ["commit_number", "subject", "statement", "rows_digest", "digest"]
COMMIT = [
    "chain",
    "previous",
    "root",
    "leaves",
    "time_ns",
    "digest",
    "signing_key",
    "signature",
    "first_leaf",
    "last_transfer",
    "last_ns",
]
PENDING = ["id", "state", "expires_ns"]


def _changed(value):
    """Change one byte of a value."""
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        if not value:
            return b"\x01" * 16
        middle = len(value) // 2
        return value[:middle] + bytes((value[middle] ^ 1,)) + value[middle + 1 :]
    return value[:-1] + chr(ord(value[-1]) ^ 1)


def _share(rows, column, columns, spoilt):
    """Give some of many rows, others for each column."""
    return rows if len(rows) < 12 else _some(rows, spoilt, columns.index(column))


def _some(rows, spoilt, start=0):
    """Give a third of these rows, and a ninth where only the reading of them is another engine's;
    others in every run, and to `make prove` all.
    """
    if not REPEATED:
        return rows
    every = 3 if spoilt.database.dialect == "sqlite" else 9
    drawn = 0 if draw() == "all" else int(draw())
    return rows[(start + drawn) % min(every, len(rows)) :: every]


def _plant(spoilt, table, key, which, column):
    """Change one byte of one column of one row, and audit."""
    [[value]] = spoilt.rows(f"SELECT {column} FROM {table} WHERE {key} = ?", which)
    sql = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
    return spoilt.audit((sql, (_changed(value), which)))


async def test_books_in_which_everything_has_happened_pass(spoilt):
    seen = []
    report = await audit(
        spoilt.database, ROOT.public, on_progress=lambda done, of: seen.append((done, of))
    )
    assert (report.text, report.ok) == ("ok", True)
    assert report.notes == ["no heads file was given: a restored older copy would not be seen"]
    assert report.commits == len(spoilt.heads)
    assert [[report.transfers]] == [list(r) for r in spoilt.rows("SELECT COUNT(*) FROM transfers")]
    assert seen[-1] == (report.leaves, report.leaves)


def test_books_with_all_their_heads_pass_and_without_a_root_key_say_so(spoilt):
    assert spoilt.audit().text == "ok"
    assert spoilt.audit().notes == []
    assert spoilt.audit(root=None).notes == [
        "no root key was given: who may sign heads was not checked"
    ]


def test_empty_books_pass(spoilt):
    wiped = [
        (f"DELETE FROM {table}",)
        for table in [
            "accounts",
            "transfers",
            "pendings",
            "failed_transfers",
            "leaves",
            "commits",
            "payments",
            "balances",
            "sessions",
            *(table.name for table in STATED),
        ]
    ]
    assert spoilt.audit(*wiped, heads=[]).text == "ok"


@pytest.mark.parametrize("column", TRANSFER)
@pytest.mark.parametrize(
    "kind", ["payment", "hold", "post", "expired", "credit", "budget", "fee", "fee back"]
)
def test_a_changed_byte_of_a_transfer_is_found_and_the_transfer_named(spoilt, kind, column):
    where = {
        "payment": "code = 10 AND flags = 0",
        "hold": "code = 10 AND flags = 2",
        "post": "code = 10 AND flags = 4",
        "expired": "code = 10 AND flags = 32768",
        "credit": "code = 1",
        "budget": "code = 20",
        "fee": "code = 12",
        "fee back": "code = 13",
    }[kind]
    for order in ("", "DESC"):
        found = spoilt.rows(f"SELECT number FROM transfers WHERE {where} ORDER BY number {order}")
        [number] = found[0]
        report = _plant(spoilt, "transfers", "number", number, column)
        assert report.fault is not None
        assert (report.fault.table, report.fault.number) == ("transfer", number), report.text


@pytest.mark.parametrize("column", ACCOUNT)
def test_a_changed_byte_of_an_account_is_found_and_named(spoilt, column):
    rows = spoilt.rows("SELECT id FROM accounts ORDER BY leaf, timestamp")
    for (ident,) in _share(rows, column, ACCOUNT, spoilt):
        report = _plant(spoilt, "accounts", "id", ident, column)
        assert report.fault is not None
        if column not in ("id", "timestamp"):  # These change its place, so its leaf may be named.
            assert report.fault.table == "account", report.text
            assert report.fault.ident == int.from_bytes(ident, "big")


@pytest.mark.parametrize("column", BALANCES)
def test_a_changed_byte_of_an_accounts_balances_is_found_and_named(spoilt, column):
    for ident, opened in spoilt.rows("SELECT id, timestamp FROM accounts ORDER BY id"):
        report = _plant(spoilt, "balances", "timestamp", opened, column)
        assert report.fault is not None
        assert report.fault.table == "account", report.text
        assert report.fault.ident == int.from_bytes(ident, "big")


def test_balances_that_moved_to_another_time_are_found_missing(spoilt):
    [[ident, opened]] = spoilt.rows("SELECT id, timestamp FROM accounts ORDER BY id LIMIT 1")
    sql = "UPDATE balances SET timestamp = timestamp + 1000000007 WHERE timestamp = ?"
    fault = spoilt.audit((sql, (opened,))).fault
    assert (fault.table, fault.ident) == ("account", int.from_bytes(ident, "big"))
    assert fault.what == "its balances are not stored"


def test_balances_of_no_account_are_found(spoilt):
    report = spoilt.audit(("INSERT INTO balances SELECT 5, 0, 0, 0, 0, 0, 0",))
    assert (report.fault.table, report.fault.number) == ("balances", 5)


@pytest.mark.parametrize("column", LEAF)
def test_a_changed_byte_of_a_leaf_is_found_and_named(spoilt, column):
    rows = spoilt.rows("SELECT number FROM leaves ORDER BY number")
    for (number,) in _share(rows, column, LEAF, spoilt):
        [[value]] = spoilt.rows(f"SELECT {column} FROM leaves WHERE number = ?", number)
        if value == b"":
            continue
        report = _plant(spoilt, "leaves", "number", number, column)
        assert report.fault is not None
        assert (report.fault.table, report.fault.number) == ("leaf", number), report.text


@pytest.mark.parametrize("column", COMMIT)
def test_a_changed_byte_of_a_commit_is_found_and_named(spoilt, column):
    rows = spoilt.rows("SELECT number FROM commits ORDER BY number")
    for (number,) in _share(rows, column, COMMIT, spoilt):
        report = _plant(spoilt, "commits", "number", number, column)
        assert report.fault is not None
        assert (report.fault.table, report.fault.number) == ("commit", number), report.text


@pytest.mark.parametrize("column", PENDING)
def test_a_changed_byte_of_a_pending_transfer_is_found_and_named(spoilt, column):
    for (ident,) in spoilt.rows("SELECT id FROM pendings ORDER BY id"):
        report = _plant(spoilt, "pendings", "id", ident, column)
        assert report.fault is not None
        assert report.fault.table == "pending transfer"
        assert report.fault.ident == int.from_bytes(ident, "big")


PAYMENT = [
    "state",
    "reason",
    "payer",
    "device",
    "payee",
    "asset",
    "ledger",
    "amount",
    "captured",
    "refunded",
    "category",
    "owner",
    "payee_owner",
    "signing_key",
    "wants_capture",
    "hold_seconds",
    "claim",
    "hold_ends_ns",
    "ask_ends_ns",
    "ask",
    "created_ns",
    "changed_ns",
    "challenge",
    "nonce",
    "resource",
    "order_digest",
    "expires",
    "hub",
    "budgets",
    "leaf",
    "fees",
    "answers",
]


@pytest.mark.parametrize("column", PAYMENT)
def test_a_changed_payment_is_found_and_named(spoilt, column):
    rows = spoilt.rows(f"SELECT id, {column} FROM payments ORDER BY id")
    for ident, value in _share(rows, column, PAYMENT, spoilt):
        other = "another" if isinstance(value, str | None) else _changed(value)
        sql = f"UPDATE payments SET {column} = ? WHERE id = ?"
        report = spoilt.audit((sql, (other, ident)))
        assert report.fault is not None
        assert report.fault.row == f"payment {ident}", report.text


def test_a_name_that_payments_have_the_number_of_is_found_when_it_is_changed_or_gone(spoilt):
    named = " UNION ".join(f"SELECT {column} FROM payments" for column in PAYMENTS.numbered)
    rows = spoilt.rows(f"SELECT number FROM names WHERE number IN ({named}) ORDER BY number")
    assert len(rows) > 5
    for (number,) in rows:
        changed = ("UPDATE names SET name = name || 'x' WHERE number = ?", (number,))
        gone = ("DELETE FROM names WHERE number = ?", (number,))
        for spoil in (changed, gone):
            report = spoilt.audit(spoil)
            assert report.fault is not None
            assert report.fault.row.startswith("payment pay_"), report.text


def test_a_payment_of_another_state_is_found(spoilt):
    states = ["awaiting", "held", "captured", "refused", "voided", "expired"]
    rows = spoilt.rows("SELECT id, state FROM payments ORDER BY id")
    others = [(one, other) for one, state in rows for other in states if other != state]
    for ident, other in _some(others, spoilt):
        sql = "UPDATE payments SET state = ? WHERE id = ?"
        assert spoilt.audit((sql, (other, ident))).fault.row == f"payment {ident}"


@pytest.mark.parametrize(
    "table, key",
    [
        ("accounts", "id"),
        ("pendings", "id"),
        ("payments", "id"),
        ("transfers", "number"),
        ("leaves", "number"),
        ("commits", "number"),
    ],
)
def test_a_removed_row_is_missed(spoilt, table, key):
    for (which,) in _some(spoilt.rows(f"SELECT {key} FROM {table} ORDER BY {key}"), spoilt):
        report = spoilt.audit((f"DELETE FROM {table} WHERE {key} = ?", (which,)))
        assert report.fault is not None, which


def test_a_removed_transfer_leaf_or_commit_is_named_by_the_number_it_had(spoilt):
    for table, name in (("transfers", "transfer"), ("leaves", "leaf"), ("commits", "commit")):
        report = spoilt.audit((f"DELETE FROM {table} WHERE number = 7",))
        assert str(report.fault).startswith(f"{name} 7: it is missing"), report.text


def test_a_row_too_many_is_found(spoilt):
    columns = (
        "debit_account_id, credit_account_id, amount, ledger, code, flags, pending_id, user_data,"
        " timeout, timestamp, leaf, debit_previous, credit_previous"
    )
    copy = (
        (
            f"INSERT INTO transfers (number, id, {columns}) SELECT 100000, ?, {columns}"
            " FROM transfers WHERE number = 3"
        ),
        (bytes(16),),
    )
    assert spoilt.audit(copy).fault.number == 100000
    invented = (
        (
            "INSERT INTO accounts (id, ledger, code, user_data, timestamp, leaf)"
            " SELECT ?, ledger, code, user_data, timestamp, leaf FROM accounts LIMIT 1"
        ),
        (bytes(15) + b"\1",),
    )
    assert spoilt.audit(invented).fault.table == "account"
    hold = ("INSERT INTO pendings (id, state, expires_ns) VALUES (?, 1, 5)", (bytes(15) + b"\1",))
    assert spoilt.audit(hold).fault.row == f"pending transfer (id {1:032x})"


def test_an_invented_payment_is_found(spoilt):
    names = [field for field in _payment_fields() if field not in ("id", "leaf")]
    for leaf in ("leaf", "leaf + 100000", "2"):
        listed = ", ".join(names)
        sql = (
            f"INSERT INTO payments (id, leaf, {listed}) SELECT ?, {leaf}, {listed}"
            " FROM payments ORDER BY id LIMIT 1"
        )
        ident = "pay_" + "0" * 25 + "8"
        assert spoilt.audit((sql, (ident,))).fault.row == f"payment {ident}"


def _payment_fields():
    from farthing.core.payments import Payment

    return Payment.__struct_fields__


def test_a_payment_put_back_to_an_earlier_state_is_found(spoilt):
    [[ident, leaf]] = spoilt.rows(
        "SELECT id, leaf FROM payments WHERE state = 'captured' AND hold_seconds > 0"
        " AND refunded = 0 ORDER BY id LIMIT 1"
    )
    [[number]] = spoilt.rows(
        "SELECT MIN(number) FROM leaves WHERE subject = (SELECT subject FROM leaves"
        " WHERE number = ?)",
        leaf,
    )
    sql = "UPDATE payments SET state = 'held', captured = 0, leaf = ? WHERE id = ?"
    report = spoilt.audit((sql, (number, ident)))
    assert report.fault.row == f"payment {ident}"
    assert "newer statement" in report.fault.what


def test_rows_that_changed_places_are_found_and_the_first_is_named(spoilt):
    [[last]] = spoilt.rows("SELECT MAX(number) FROM transfers")
    for first in _some(range(1, last), spoilt):
        for second in {first + 1, last}:
            report = spoilt.audit(lambda tx, a=first, b=second: _swap(tx, a, b))
            assert report.fault.number in (first, second) or report.fault.table == "leaf"


def _swap(tx, a, b):
    for old, new in ((a, -1), (b, a), (-1, b)):
        tx.run("UPDATE transfers SET number = ? WHERE number = ?", (new, old))


def test_money_made_from_nothing_is_named_with_what_is_and_what_should_be(spoilt):
    [[ident, posted]] = spoilt.rows(
        "SELECT timestamp, credits_posted FROM accounts JOIN balances USING (timestamp)"
        " WHERE code = 10 ORDER BY id LIMIT 1"
    )
    report = spoilt.audit(
        ("UPDATE balances SET credits_posted = credits_posted + 1000 WHERE timestamp = ?", (ident,))
    )
    assert report.fault.what == (f"credits posted is {posted + 1000}, history makes {posted}")
    assert report.fault.row.startswith("account acc_")


def test_a_frozen_account_that_is_shown_as_open_is_found(spoilt):
    sql = "UPDATE account_records SET state = 'open' WHERE state = 'frozen'"
    assert "latch" in spoilt.audit((sql,)).fault.what


def test_a_used_up_id_that_is_forgotten_or_has_a_transfer_is_found(spoilt):
    assert spoilt.audit(("DELETE FROM failed_transfers",)).fault.table == "payment"
    both = "INSERT INTO failed_transfers (id) SELECT id FROM transfers WHERE number = 4"
    assert spoilt.audit((both,)).fault.table == "failed id"


def test_a_refund_of_another_size_is_found(spoilt):
    sql = "UPDATE refunds SET units = units + 1 WHERE state = 'done'"
    assert spoilt.audit((sql,)).fault.table == "payment"
    assert spoilt.audit(("DELETE FROM refunds WHERE state = 'done'",)).fault.table == "payment"


def test_a_key_that_the_root_did_not_certify_is_found(spoilt):
    sql = "UPDATE certificates SET valid_from = valid_from - 1"
    assert spoilt.audit((sql,)).fault.table == "certificate"
    report = spoilt.audit(("DELETE FROM certificates",))
    assert str(report.fault) == ("commit 1: it is signed by a key that this hub never certified")
    other = Ed25519Signer(bytes(32))
    assert spoilt.audit(root=other.public).fault.table == "certificate"


def test_a_cut_tail_is_found_by_the_heads_file_alone(spoilt):
    [[number, first_leaf, transfer]] = spoilt.rows(
        "SELECT number, first_leaf, last_transfer FROM commits WHERE number ="
        " (SELECT MAX(number) FROM commits)"
    )
    for cut in (
        [("DELETE FROM commits WHERE number = ?", (number,))],
        [
            ("DELETE FROM commits WHERE number = ?", (number,)),
            ("DELETE FROM leaves WHERE number >= ?", (first_leaf,)),
        ],
    ):
        assert spoilt.audit(*cut, heads=[]).fault is not None
    assert transfer > 0
    report = spoilt.audit(heads=[*spoilt.heads, _next_head(spoilt.heads[-1])])
    assert report.fault.number == number + 1
    assert "heads file" in report.fault.what


def _next_head(head: Head, signer=SIGNER) -> Head:
    return sign_head(signer, "main", head.number + 1, head.digest, bytes(32), 1, head.time_ns)


@pytest.mark.parametrize("signer", [None, Ed25519Signer(bytes(32))])
def test_a_chain_recomputed_without_the_signing_key_is_found(spoilt, signer):
    """An attacker changes an amount and hashes everything from there on again."""
    [[number]] = spoilt.rows("SELECT number FROM transfers WHERE code = 1 ORDER BY number LIMIT 1")
    [[commit]] = spoilt.rows(
        "SELECT commit_number FROM leaves WHERE number ="
        " (SELECT leaf FROM transfers WHERE number = ?)",
        number,
    )

    def forge(tx):
        tx.run("UPDATE transfers SET amount = amount * 2 WHERE number = ?", (number,))
        rehash(tx, commit, signer)

    report = spoilt.audit(forge)
    assert (report.fault.table, report.fault.number) == ("commit", commit), report.text
    if signer is None:
        assert "signature" in report.fault.what
    else:
        assert "never certified" in report.fault.what


def rehash(tx, start, signer):
    """Compute rows digests, leaves, roots and heads again from a commit on."""
    import hashlib

    from farthing.core.audit_leaf import account_bytes, transfer_bytes
    from farthing.store import audit_rows as rows

    covered = {}
    for row in rows.accounts_by_leaf(tx):
        covered.setdefault(row.leaf, []).append(account_bytes(row))
    for row in rows.transfers(tx):
        covered.setdefault(row.leaf, []).append(transfer_bytes(row))
    digests = {}
    for leaf in list(rows.leaves(tx)):
        over = hashlib.sha256(b"".join(covered.get(leaf.number, []))).digest()
        digest = leaf_digest(leaf.statement, over)
        digests.setdefault(leaf.commit, []).append(digest)
        tx.run(
            "UPDATE leaves SET rows_digest = ?, digest = ? WHERE number = ?",
            (over, digest, leaf.number),
        )
    previous = None
    for stored in list(rows.commits(tx)):
        head = stored.head
        if head.number >= start:
            own = digests[head.number]
            root = root_of(merkle_levels(own)[-1][0], len(own))
            before = head.previous if previous is None else previous
            new = sign_head(
                signer or SIGNER, head.chain, head.number, before, root, len(own), head.time_ns
            )
            signed = (new.key, new.signature) if signer else (head.key, head.signature)
            tx.run(
                "UPDATE commits SET previous = ?, root = ?, digest = ?, signing_key = ?,"
                " signature = ? WHERE number = ?",
                (before, root, new.digest, *signed, head.number),
            )
            previous = new.digest


def test_a_decision_that_broke_a_rule_is_found_though_it_was_signed(spoilt):
    """Even with the signing key history must follow the ledger's rules."""
    [[number]] = spoilt.rows("SELECT number FROM transfers WHERE code = 1 ORDER BY number LIMIT 1")

    def forge(tx):
        tx.run("UPDATE transfers SET amount = 1 WHERE number = ?", (number,))
        rehash(tx, 1, SIGNER)

    assert "debits exceed credits" in spoilt.audit(forge, heads=[]).fault.what


async def test_an_audit_while_the_hub_works_sees_one_moment(world, database):
    import asyncio

    await live(world, SIGNER)
    shop = await world.account()
    buyer = await world.spender(100_000)

    async def pay():
        for _ in range(40):
            world.clock.move(0.001)
            await world.do(world.pay(buyer, shop, 5))

    audits = [audit(database, ROOT.public) for _ in range(3)]
    reports = await asyncio.gather(pay(), *audits, pay())
    assert [report.text for report in reports[1:-1]] == ["ok"] * 3
