"""The hub and the proxy over TLS, with a certificate of the test's own."""

import socket
import ssl
import subprocess
import sys
import warnings

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from farthing.errors import Malformed
from farthing.selling import paywall
from tests.cli.runner import Terminal
from tests.e2e.certificates import make_certificate
from tests.e2e.hub_process import HubProcess, wait_for
from tests.ports import free_port

PAYEE = "acc_00000000000000000000000001"


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path)


def _offering(certificate, *, versions, ciphers=""):
    """A client that speaks only these versions and ciphers, however old or weak."""
    context = ssl.create_default_context(cafile=str(certificate))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers(f"{ciphers or 'ALL:eNULL'}:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = versions
    return context


def _hands(url, context):
    """Shake hands as this client; give what was agreed, or why not."""
    host, _, port = url.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as spoken:
                return spoken.version(), spoken.cipher()[0]
        except (ssl.SSLError, ConnectionResetError) as fault:
            return "refused", str(fault)


OLD = [
    (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1),
    (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1),
    (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1),
]
TWO = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
WEAK = ["ECDHE+AES+SHA1", "ECDHE+AES+SHA256", "ECDHE+AES+SHA384", "eNULL", "aNULL", "kRSA"]


def check_policy(url, chain):
    """What is agreed is TLS 1.2 or newer, with forward secrecy and authenticated encryption."""
    for versions in OLD:
        assert _hands(url, _offering(chain, versions=versions))[0] == "refused", versions
    for ciphers in WEAK:
        assert _hands(url, _offering(chain, versions=TWO, ciphers=ciphers))[0] == "refused", ciphers
    version, cipher = _hands(url, _offering(chain, versions=TWO))
    assert version == "TLSv1.2"
    assert cipher.startswith("ECDHE-") and ("GCM" in cipher or "POLY1305" in cipher)
    assert _hands(url, ssl.create_default_context(cafile=str(chain)))[0] == "TLSv1.3"


@pytest.mark.rule("asvs.12.1.1", on="hub proxy")
@pytest.mark.rule("mpp.tls", on="hub proxy uvicorn")
def test_a_device_enrols_and_pays_over_tls(tmp_path, certificate):
    chain, secret = certificate
    settings = {
        "FARTHING_SERVER_TLS_CERT": str(chain),
        "FARTHING_SERVER_TLS_KEY": str(secret),
        "SSL_CERT_FILE": str(chain),
    }
    hub = HubProcess(tmp_path, **settings)
    hub.run("init")
    hub.process = subprocess.Popen([sys.executable, "-m", "farthing", "serve"], env=hub.environment)
    try:
        wait_for(f"{hub.url}/readyz", hub.process, verify=str(chain))
        check_policy(hub.url, chain)
        wallet, shop = hub.account("wallet"), hub.account("shop")
        hub.run("credit", wallet, "1 USD")
        purse = hub.purse(wallet)
        hub.run("offers", "create", shop, "/a", "0.001 USD")
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "a").write_text("over tls")
        port = free_port()
        with hub.service(tmp_path / "site") as upstream:
            tls = ["--tls-cert", str(chain), "--tls-key", str(secret), "--payee", shop]
            command = ["proxy", "--upstream", upstream, "--port", str(port), *tls]
            proxy = subprocess.Popen(
                [sys.executable, "-m", "farthing", *command], env=hub.environment
            )
            url = f"https://127.0.0.1:{port}/a"
            try:
                wait_for(url, proxy, verify=str(chain))
                check_policy(url.removesuffix("/a"), chain)
                assert hub.run("pay", url, "--purse", str(purse)).stdout == "over tls"
                with pytest.raises(httpx.HTTPError):
                    httpx.get(url.replace("https:", "http:"))
            finally:
                proxy.terminate()
                proxy.wait(20)
    finally:
        hub.stop()


@pytest.mark.rule("owasp-api.8", on="hub proxy")
@pytest.mark.parametrize("command", ["serve", "proxy"])
def test_listening_beyond_this_machine_without_tls_is_refused(tmp_path, command):
    hub = HubProcess(tmp_path)
    hub.run("init")
    more = ["--upstream", "http://127.0.0.1:1", "--payee", PAYEE] if command == "proxy" else []
    refused = hub.run(command, "--host", "0.0.0.0", *more, ok=False)
    assert refused.returncode == 8
    assert "tls-needed" in refused.stderr


@pytest.mark.parametrize("command", ["serve", "proxy"])
def test_a_certificates_key_that_others_can_read_stops_the_start(tmp_path, certificate, command):
    chain, secret = certificate
    more = ["--upstream", "http://127.0.0.1:1", "--payee", PAYEE] if command == "proxy" else []
    more += ["--tls-cert", str(chain), "--tls-key", str(secret), "--port", "0"]
    for mode in (0o604, 0o644, 0o660):
        secret.chmod(mode)
        told = Terminal(tmp_path / "home")(command, *more)
        assert (told.code, told.out) == (8, "")
        assert "tls-key-open-to-others" in told.err


def test_a_certificates_key_under_a_passphrase_is_named_and_nobody_is_asked(tmp_path, certificate):
    chain, secret = certificate
    key = serialization.load_pem_private_key(secret.read_bytes(), None)
    sealed = serialization.BestAvailableEncryption(b"correct horse")
    pkcs8 = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, sealed))
    more = ["--tls-cert", str(chain), "--tls-key", str(secret), "--port", "0"]
    told = Terminal(tmp_path / "home")("serve", *more)
    assert told.code == 8
    assert "under a passphrase" in told.err


@pytest.mark.rule("asvs.12.3.1", on="middleware proxy")
def test_a_key_is_not_sent_to_a_hub_elsewhere_over_plain_http(tmp_path):
    more = ["--upstream", "http://127.0.0.1:1", "--payee", PAYEE]
    refusals = {"http://hub.example:8402": "not-private", "ftp://hub.example": "malformed-url"}
    for hub, code in refusals.items():
        told = Terminal(tmp_path)("proxy", *more, "--hub", hub, FARTHING_KEY="fk_1")
        assert (told.code, code in told.err) == (2, True), told.err
    with pytest.raises(Malformed):
        paywall(hub="http://hub.example", key="fk_1")
