"""Somebody signs in by an OpenID provider that is not ours: a certified one, from npm."""

import html
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import msgspec
import pytest

from farthing.settings import OidcSettings
from tests.web.api.town import LOCAL, changed, config_in, open_town

from .browser import ORIGIN, Browser

PACKAGE = "oidc-provider@9.13.3"
ROOT = Path(__file__).parents[3]
BACK = f"{ORIGIN}/sign-in/organisation/back"

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(not shutil.which("npm"), reason="npm is not here"),
]


@pytest.fixture(scope="module")
def issuer():
    """Run the provider on a free port."""
    folder = ROOT / "build" / "npm" / PACKAGE
    if not (folder / "node_modules" / "oidc-provider").exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
        subprocess.run(wanted, cwd=folder, check=True, capture_output=True, timeout=120)
    script = folder / "provider.mjs"
    script.write_text((Path(__file__).parent / "real_provider.mjs").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        ["node", str(script), str(port), BACK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert running.stdout is not None
    line = running.stdout.readline()
    assert b"ready" in line, line
    yield f"http://127.0.0.1:{port}"
    running.terminate()
    running.wait(10)


def at_the_provider(url: str) -> str:
    """Do what a person does there: sign in, agree, and be sent back. Gives where to."""
    with httpx.Client() as browser:
        for _ in range(12):
            if url.startswith(BACK):
                return url
            page = browser.get(url)
            while page.is_redirect:
                url = urljoin(str(page.url), page.headers["location"])
                if url.startswith(BACK):
                    return url
                page = browser.get(url)
            action = re.search(r'action="([^"]+)"', page.text)
            assert action, page.text
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', page.text))
            form = hidden | (
                {"login": "ada", "password": "any"} if 'name="login"' in page.text else {}
            )
            sent = browser.post(urljoin(str(page.url), html.unescape(action[1])), data=form)
            assert sent.is_redirect, sent.text
            url = urljoin(str(sent.url), sent.headers["location"])
    raise AssertionError("nobody was sent back")


async def test_somebody_signs_in_is_found_again_and_signs_out(tmp_path: Path, issuer: str):
    (tmp_path / "secret").write_text("a secret of some length, for HS256 has one too")
    (tmp_path / "secret").chmod(0o600)
    settings = OidcSettings(
        issuer=issuer, client_id="farthing", client_secret_file=str(tmp_path / "secret"),
        allow_networks=["127.0.0.0/8"],
    )  # fmt: skip
    async with open_town(tmp_path, config=changed(config_in(tmp_path), oidc=settings)) as town:
        organisation = town.hub.desk.organisation
        assert organisation is not None
        organisation._settings = msgspec.structs.replace(
            settings, owner=town.owners["buyer"], roles={"money": "owner"}, domains=["mill.example"]
        )
        for _ in range(2):
            ada = Browser(town)
            left = await ada.page("/sign-in/organisation")
            began = time.monotonic()
            back = urlsplit(at_the_provider(left.headers["location"]))
            assert time.monotonic() - began < 30
            assert dict(parse_qsl(back.query))["iss"] == issuer
            came = await ada.page(f"{back.path}?{back.query}")
            assert came.headers.get("location") == "/wallet", came.text
            assert (await ada.page("/wallet")).status_code == 200
        people = (await town.made("GET", "/v1/people", who=LOCAL))["items"]
        assert [(one["name"], one["roles"]) for one in people] == [("Ada", ["owner"])]
        out = (await ada.page("/sign-in/organisation/out")).headers["location"]
        assert out.startswith(f"{issuer}/session/end?")
