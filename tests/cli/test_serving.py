"""`farthing serve` as a person runs it: started, stopped, moved, rolled back, rotated."""

import json
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import httpx
import pytest

from farthing import ids
from farthing.core.orders import Order, SignedOrder
from farthing.keys import new_signer
from tests.e2e.hub_process import HubProcess
from tests.web.api.town import body_of, enrolment


def test_a_hub_that_is_told_to_stop_finishes_what_it_accepted(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        key = {"authorization": f"Bearer {hub.made['key']}"}
        done: list[str] = []
        refused: list[str] = []

        def open_accounts() -> None:
            with httpx.Client(base_url=hub.url, headers=key, timeout=20) as http:
                for _ in range(400):
                    try:
                        answer = http.post("/v1/accounts", json={"asset": "USD"})
                    except httpx.HTTPError:
                        return
                    told = done if answer.status_code == 201 else refused
                    told.append(answer.text)

        with ThreadPoolExecutor(4) as pool:
            for _ in range(4):
                pool.submit(open_accounts)
            while len(done) < 20:
                time.sleep(0.005)
            assert hub.stop() == 0
        kept = {item["id"] for item in json.loads(hub.run("accounts", "list", "--json").stdout)}
        assert {json.loads(text)["id"] for text in done} <= kept
        assert all(json.loads(text)["status"] == 503 for text in refused)


def test_a_request_that_is_half_sent_is_finished_and_an_event_stream_ends(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        body = json.dumps({"asset": "USD"}).encode()
        head = (
            f"POST /v1/accounts HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            f"authorization: Bearer {hub.made['key']}\r\n\r\n"
        )
        heard: list[str] = []

        def listen() -> None:
            fields = {"authorization": f"Bearer {hub.made['key']}"}
            url = f"{hub.url}/v1/events"
            with httpx.stream("GET", url, headers=fields, timeout=20) as stream:
                heard.extend(stream.iter_lines())
            heard.append("ended")

        listening = threading.Thread(target=listen)
        listening.start()
        while not heard:
            time.sleep(0.02)
        with socket.create_connection(("127.0.0.1", hub.port)) as half:
            half.sendall(head.encode() + body[:5])
            time.sleep(0.3)
            hub.process.terminate()
            time.sleep(0.3)
            half.sendall(body[5:])
            answer = half.recv(65536)
            assert answer.startswith(b"HTTP/1.1 201"), answer
        assert hub.process.wait(20) == 0
        listening.join(5)
        assert heard[0] == ": hello"
        assert heard[-1] == "ended"


def test_books_put_back_from_an_older_copy_are_refused_until_accepted(tmp_path: Path):
    hub = HubProcess(tmp_path)
    hub.run("init")
    folder = hub.home / "hub"
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.glob("farthing.db*"):
        shutil.copy(file, copy)
    account = hub.account("lost")
    for file in folder.glob("farthing.db*"):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy(file, folder)
    refused = hub.run("serve", ok=False)
    assert refused.returncode == 8
    assert "books-rolled-back" in refused.stderr
    assert "--accept-rollback" in refused.stderr
    hub.start("--accept-rollback")
    try:
        assert account not in hub.run("accounts", "list").stdout
    finally:
        hub.stop()
    hub.start()
    hub.stop()
    with apsw.Connection(str(folder / "farthing.db")) as database:
        kinds = [row[0] for row in database.execute("SELECT kind FROM events")]
    assert kinds.count("hub.rollback_accepted") == 1


def test_a_database_of_a_newer_farthing_is_refused(tmp_path: Path):
    hub = HubProcess(tmp_path)
    hub.run("init")
    with apsw.Connection(str(hub.home / "hub" / "farthing.db")) as database:
        database.execute("INSERT INTO migrations (number) VALUES (99)")
    for command in (["serve"], ["balances"]):
        refused = hub.run(*command, ok=False)
        assert refused.returncode == 8
        assert "database-too-new" in refused.stderr
        assert "upgrade" in refused.stderr


@pytest.mark.rule("farthing.old-receipts", on="hub")
def test_after_a_rotation_new_heads_have_a_new_key_and_old_receipts_still_verify(tmp_path: Path):
    signer = new_signer()
    with HubProcess(tmp_path) as hub:
        http = httpx.Client(
            base_url=hub.url, headers={"authorization": f"Bearer {hub.made['key']}"}
        )

        def made(path: str, **body: object) -> dict[str, str]:
            answer = http.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        wallet, shop = (made("/v1/accounts", asset="USD")["id"] for _ in range(2))
        made("/v1/credits", account=wallet, units="10000", asset="USD")
        mandate = made("/v1/mandates", asset="USD")["id"]
        code = made("/v1/devices/invitations", account=wallet, mandate=mandate)["code"]
        device = made("/v1/devices/enrol", **enrolment(code, signer))["device"]

        def buy() -> Path:
            now = time.time_ns()
            order = Order(
                hub=hub.made["hub"], device=device, payee=shop, asset="USD", amount=1500,
                nonce=ids.encode(ids.fresh(now // 1_000_000)), expires=now // 10**9 + 300,
            )  # fmt: skip
            signed = SignedOrder(order, signer.sign(order.signed_bytes()))
            paid = made("/v1/payments", **body_of(signed))
            file = tmp_path / f"{paid['id']}.json"
            file.write_text(json.dumps(paid["receipt"]))
            return file

        first = buy()
        busy = hub.run("hub-keys", "rotate", ok=False)
        assert (busy.returncode, "hub-running" in busy.stderr) == (8, True)
        hub.stop()
        hub.run("hub-keys", "rotate")
        hub.start()
        second = buy()
        keys = [json.loads(file.read_text())["proof"]["head"]["key"] for file in (first, second)]
        assert keys[0] != keys[1]
        again = tmp_path / "again.json"  # The first one, as the hub writes it now.
        shown = http.get(f"/v1/payments/{first.stem}").json()
        again.write_text(json.dumps(shown["receipt"]))
        told = httpx.get(f"{hub.url}/.well-known/farthing").json()
        assert [c["key"] for c in told["certificates"]] == [keys[1], keys[0]]
    root = ["--root-key", told["root_key"]]
    shutil.rmtree(hub.home)  # Nothing but the receipt and the root key is left.
    for file in (first, second, again):
        assert "valid" in hub.run("receipt", "verify", str(file), *root).stderr
    forged = json.loads(first.read_text())
    forged["statement"]["captured"] = "1"
    second.write_text(json.dumps(forged))
    refused = hub.run("receipt", "verify", str(second), *root, ok=False)
    assert refused.returncode == 6
    assert "NOT valid" in refused.stderr
