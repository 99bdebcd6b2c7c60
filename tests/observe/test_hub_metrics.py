"""What a hub tells Prometheus: who may ask, that it is true, and that it names nobody."""

from pathlib import Path

import httpx
import pytest

from farthing.clock import NS
from farthing.observe.process import PROCESS
from farthing.observe.table import EVERY, HUB
from farthing.services.audit_note import AuditNote, note_file, read_note, write_note
from farthing.settings import Config, RiskSettings
from farthing.web.metrics_page import MetricsPage
from tests.web.api.test_cases import decide, flagged, watched
from tests.web.api.town import LOCAL, NOBODY, changed, config_in, open_town

from .reading import families, samples, value


async def page_of(town) -> str:
    return (await town.ask("GET", "/metrics", who=LOCAL)).text


async def test_payments_are_counted_by_state_reason_and_asset(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for _ in range(3):
            await town.pay(1500)
        held = await town.hold(2000)
        await town.made("POST", f"/v1/payments/{held['payment']}/capture", who="seller.seller")
        dropped = await town.hold(2500)
        await town.made("POST", f"/v1/payments/{dropped['payment']}/void", who="seller.seller")
        assert (await town.ask("POST", "/v1/payments", town.payment(100_001))).status_code == 422
        page = await page_of(town)

    def paid(state: str, reason: str = "") -> float:
        return value(page, "farthing_payments_total", state=state, reason=reason, asset="USD")

    assert paid("captured") == 4
    assert paid("held") == 2
    assert paid("voided") == 1
    assert paid("refused", "mandate-largest") == 1
    assert value(page, "farthing_captured_units_total", asset="USD") == 3 * 1500 + 2000
    assert value(page, "farthing_events_total", kind="payment.captured") == 4
    assert value(page, "farthing_signatures_total", verdict="good") == 6
    assert value(page, "farthing_payment_seconds_count", step="authorise") == 6
    assert value(page, "farthing_payment_seconds_count", step="capture") == 1
    assert value(page, "farthing_commit_units_count") == value(
        page, "farthing_commit_seconds_count"
    )


async def test_the_same_payment_sent_again_is_not_counted_again(tmp_path: Path):
    async with open_town(tmp_path) as town:
        body = town.payment(1500)
        for _ in range(5):
            await town.made("POST", "/v1/payments", body)
        page = await page_of(town)
    count = value(page, "farthing_payments_total", state="captured", reason="", asset="USD")
    assert count == 1


async def test_requests_are_counted_by_endpoint_and_refusals_by_status(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await page_of(town)
        await town.ask("GET", "/v1/accounts/acc_nowhere", who="buyer.owner")
        await town.ask("GET", "/no/such/path?secret=1", who=NOBODY)
        await town.ask("GET", "/v1/accounts", who=NOBODY)
        page = await page_of(town)
    missing = value(page, "farthing_http_requests_total", endpoint="none", status="4xx")
    assert missing == 1
    # It stands at 0 before it grows, or a monitoring system would not see it grow.
    assert value(before, "farthing_http_refused_total", status="401", by="app") == 0
    assert value(page, "farthing_http_refused_total", status="401", by="app") == 1
    assert value(page, "farthing_http_request_seconds_count", endpoint="none") == 1


async def test_how_the_books_stand_is_read_when_somebody_looks(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.hold(2000)
        page = await page_of(town)
    assert value(page, "farthing_holds_open") == 1
    assert value(page, "farthing_hold_overdue_seconds") == 0
    assert value(page, "farthing_asks_waiting") == 0
    assert value(page, "farthing_books_writable") == 1
    assert value(page, "farthing_books_queue_units") == 0
    assert value(page, "farthing_schema_version") >= 2
    assert value(page, "farthing_database_bytes") > 4096
    assert (
        0
        < value(page, "farthing_disk_free_bytes", place="books")
        < value(page, "farthing_disk_size_bytes", place="books")
    )


async def test_what_the_newest_audit_found_is_told_and_nothing_before_the_first(tmp_path: Path):
    async with open_town(tmp_path) as town:
        config = town.hub.desk.config
        before = samples(await page_of(town))
        assert ("farthing_audit_ok", ()) not in before
        assert ("farthing_tls_certificate_expiry_seconds", ()) not in before
        assert before["farthing_audit_time_seconds", ()] == 0
        write_note(config, AuditNote(ok=True, time_ns=1_800_000_000 * NS, commits=9, text="ok"))
        page = await page_of(town)
        assert value(page, "farthing_audit_ok") == 1
        assert value(page, "farthing_audit_time_seconds") == 1_800_000_000
        write_note(config, AuditNote(ok=False, time_ns=1, commits=9, text="accounts: …"))
        assert value(await page_of(town), "farthing_audit_ok") == 0
        for spoiled in (b"{", b'{"text": "\xff"}', b"[" * 10_000):
            note_file(config).write_bytes(spoiled)
            assert read_note(config) is None
            await page_of(town)


async def test_ready_is_told_as_readyz_says_it(tmp_path: Path):
    async with open_town(tmp_path) as town:
        assert value(await page_of(town), "farthing_ready") == 1
        town.hub.desk.closing = True
        assert value(await page_of(town), "farthing_ready") == 0
        assert (await town.ask("GET", "/readyz", who=LOCAL)).status_code == 503


async def test_every_metric_of_the_table_is_on_the_page_and_no_other_of_ours(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.pay()
        found = families(await page_of(town))
    table = {metric.name: metric for metric in (*EVERY, *HUB)}
    assert {name for name in found if name.startswith("farthing_")} == set(table)
    assert {name for name in found if name not in table} == set(PROCESS)
    for name, labels in found.items():
        assert not labels or not name.startswith("farthing_") or labels == set(table[name].labels)


async def test_no_label_tells_of_an_owner_a_device_a_path_or_an_id(tmp_path: Path):
    async with open_town(tmp_path) as town:
        made = await town.pay()
        await town.ask("GET", f"/v1/payments/{made['id']}", who="buyer.owner")
        await town.ask("GET", "/private/place", who=NOBODY)
        page = await page_of(town)
        secrets = [*town.owners.values(), *town.accounts.values(), made["id"], "/private"]
        secrets += [machine.id for machine in town.machines.values()]
    assert not [secret for secret in secrets if secret in page]


@pytest.mark.rule("asvs.13.4", on="hub")
@pytest.mark.parametrize(
    ("who", "status"),
    [
        (NOBODY, 401),
        ("buyer.owner", 403),
        ("buyer.read", 403),
        ("seller.seller", 403),
        ("operator", 200),
        ("scraper", 200),
        (LOCAL, 200),
    ],
)
async def test_metrics_are_for_the_operator_and_keys_made_for_them(
    tmp_path: Path, who: str, status: int
):
    async with open_town(tmp_path) as town:
        wanted = {"scopes": ["metrics"], "owner": town.owners["buyer"]}
        key = await town.made("POST", "/v1/keys", wanted, who=LOCAL)
        town.keys["scraper"] = key["secret"]
        answer = await town.ask("GET", "/metrics", who=who)
        assert answer.status_code == status
        if status == 200:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert answer.headers["cache-control"] == "no-store"


async def test_a_key_for_metrics_opens_nothing_else_and_only_the_operator_makes_one(
    tmp_path: Path,
):
    async with open_town(tmp_path) as town:
        wanted = {"scopes": ["metrics"], "owner": town.owners["buyer"]}
        town.keys["scraper"] = (await town.made("POST", "/v1/keys", wanted, who=LOCAL))["secret"]
        for path in ("/v1/accounts", "/v1/payments", "/v1/hub", "/v1/events", "/v1/owners"):
            assert (await town.ask("GET", path, who="scraper")).status_code == 403, path
        assert (await town.ask("POST", "/v1/keys", {"scopes": ["metrics"]}, who="buyer.owner")
                ).status_code == 403  # fmt: skip


async def test_the_page_beside_answers_to_this_machine_alone(tmp_path: Path):
    async def page() -> bytes:
        return b"farthing_holds_open 0\n"

    transport = httpx.ASGITransport(MetricsPage(page))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9402") as http:
        assert (await http.get("/metrics")).text == "farthing_holds_open 0\n"
        assert (await http.get("/v1/accounts")).status_code == 404
        assert (await http.post("/metrics")).status_code == 404
        led = await http.get("/metrics", headers={"host": "evil.example"})
        assert (led.status_code, led.json()["code"]) == (403, "host-not-here")
        there = await http.get("/metrics", headers={"host": "[::1]:9402"})
        assert there.status_code == 200


def test_a_hub_counts_nothing_before_it_is_asked_to():
    assert Config().metrics.listen == ""
    assert Config().tracing.endpoint == ""


async def test_what_rules_flag_and_nobody_has_decided_is_counted(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        case = await flagged(town)
        await town.ask("POST", "/v1/payments", town.payment(1000, payee="elsewhere"))
        page = await page_of(town)
        flags = "farthing_risk_flags_total"
        assert value(page, flags, rule="new_payee", act="ask") == 1
        assert value(page, flags, rule="new_payee", act="refuse") == 1
        assert value(page, flags, rule="spike", act="refuse") == 1
        assert value(page, "farthing_events_total", kind="payment.flagged") == 2
        assert value(page, "farthing_cases_waiting", state="open") == 2
        await decide(town, case)
        page = await page_of(town)
        assert value(page, "farthing_cases_waiting", state="open") == 1
        assert value(page, "farthing_events_total", kind="case.decided") == 1


async def test_what_judging_takes_is_told_for_the_orders_that_were_judged(tmp_path: Path):
    async with open_town(tmp_path, config=watched(tmp_path)) as town:
        commits = value(await page_of(town), "farthing_commit_seconds_count")
        for _ in range(3):
            await town.pay(1500)
        page = await page_of(town)
    assert value(page, "farthing_commit_seconds_count") > commits
    assert value(page, "farthing_risk_judged_total") == 3
    assert value(page, "farthing_risk_judging_seconds_count") == 3
    assert 0 < value(page, "farthing_risk_judging_seconds_sum") < 1


async def test_a_hub_that_does_not_judge_tells_of_no_judging(tmp_path: Path):
    config = changed(config_in(tmp_path), risk=RiskSettings(mode="off"))
    async with open_town(tmp_path, config=config) as town:
        await town.pay(1500)
        page = await page_of(town)
    assert value(page, "farthing_risk_judged_total") == 0
    assert value(page, "farthing_risk_judging_seconds_count") == 0
