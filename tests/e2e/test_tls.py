"""The hub and the proxy over TLS, with a certificate of the test's own."""

import datetime
import ipaddress
import subprocess
import sys

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.hub_process import HubProcess, free_port, wait_for


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test hub")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return chain, secret


def test_a_device_enrols_and_pays_over_tls(tmp_path, certificate):
    chain, secret = certificate
    settings = {
        "FARTHING_SERVER_TLS_CERT": str(chain),
        "FARTHING_SERVER_TLS_KEY": str(secret),
        "SSL_CERT_FILE": str(chain),
    }
    hub = HubProcess(tmp_path, **settings)
    hub.url = hub.url.replace("http:", "https:")
    hub.run("init")
    hub.process = subprocess.Popen([sys.executable, "-m", "farthing", "serve"], env=hub.environment)
    try:
        wait_for(f"{hub.url}/readyz", hub.process, verify=str(chain))
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
                assert hub.run("pay", url, "--purse", str(purse)).stdout == "over tls"
                with pytest.raises(httpx.HTTPError):
                    httpx.get(url.replace("https:", "http:"))
            finally:
                proxy.terminate()
                proxy.wait(20)
    finally:
        hub.stop()


@pytest.mark.parametrize("command", ["serve", "proxy"])
def test_listening_beyond_this_machine_without_tls_is_refused(tmp_path, command):
    hub = HubProcess(tmp_path)
    hub.run("init")
    more = ["--upstream", "http://127.0.0.1:1", "--payee", "acc_1"] if command == "proxy" else []
    refused = hub.run(command, "--host", "0.0.0.0", *more, ok=False)
    assert refused.returncode == 8
    assert "tls-needed" in refused.stderr
