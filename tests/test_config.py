"""Configuration: everything has a default; what is wrong is named, with the nearest right name."""

import tomllib
from pathlib import Path

import pytest

from farthing.config import load_config, setting_faults
from farthing.errors import BadConfig
from farthing.settings import Config


def read(folder: Path, text: str = "", **environ: str) -> Config:
    file = folder / "farthing.toml"
    file.write_text(text)
    return load_config(file, environ)


def test_an_empty_file_is_a_whole_configuration(tmp_path: Path):
    config = read(tmp_path)
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8402)
    assert config.books.engine == "sqlite"
    assert sorted(config.asset_table()) == ["EUR", "USD"]


def test_paths_are_relative_to_the_file_wherever_the_command_runs(tmp_path: Path):
    assert read(tmp_path).path("keys") == tmp_path / "keys"
    assert read(tmp_path).path("/var/x") == Path("/var/x")


def test_a_variable_overrides_the_file(tmp_path: Path):
    config = read(
        tmp_path,
        "[server]\nport = 1\n",
        FARTHING_SERVER_PORT="8500",
        FARTHING_SERVER_TRUSTED_PROXIES="10.0.0.1, 10.0.0.2",
        FARTHING_LOG_FORMAT="json",
        FARTHING_LOG_EVENTS="false",
    )
    assert config.server.port == 8500
    assert config.server.trusted_proxies == ["10.0.0.1", "10.0.0.2"]
    assert (config.log.format, config.log.events) == ("json", False)


@pytest.mark.parametrize(
    ("text", "environ", "code", "hint"),
    [
        ("[sever]\n", {}, "config-unknown-key", "did you mean server?"),
        ("[server]\nprot = 1\n", {}, "config-unknown-key", "did you mean port?"),
        ("[books]\nzzz = 1\n", {}, "config-unknown-key", "there are: engine"),
        ("", {"FARTHING_SERVER_PROT": "1"}, "config-unknown-key", "FARTHING_SERVER_PORT"),
        ("[server]\nport = '1'\n", {}, "config-invalid", "`server.port` must be a whole number"),
        ("[server]\nport = 70000\n", {}, "config-invalid", "`server.port` must be 0 to 65535"),
        ("[server]\nport = -1\n", {}, "config-invalid", "`server.port` must be 0 to 65535"),
        ("", {"FARTHING_SERVER_PORT": "٣"}, "config-invalid", "FARTHING_SERVER_PORT"),
        ("", {"FARTHING_SERVER_PORT": "1.5"}, "config-invalid", "FARTHING_SERVER_PORT"),
        ("", {"FARTHING_LOG_EVENTS": "no"}, "config-invalid", "true or false"),
        ("[books]\nengine = 'mysql'\n", {}, "config-invalid", "one of postgresql, sqlite"),
        ("[assets]\nUSD = 19\n", {}, "config-invalid", "scale"),
        ("[assets]\nusd = 6\n", {}, "config-invalid", "A-Z"),
        ("[assets]\nUSD = true\n", {}, "config-invalid", "a whole number"),
        ("server = 5\n", {"FARTHING_SERVER_PORT": "1"}, "config-invalid", "server"),
        ("[server\n", {}, "config-unreadable", "line 1"),
        ("folder = '/'\n", {}, "config-unknown-key", "folder"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, environ: dict[str, str], code: str, hint: str
):
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, text, **environ)
    assert caught.value.code == code
    assert hint in caught.value.detail


def test_a_writing_process_is_for_sqlite(tmp_path: Path):
    assert read(tmp_path, "").books.own_process == "auto"
    assert read(tmp_path, '[books]\nown_process = "always"\n').books.own_process == "always"
    assert read(tmp_path, '[books]\nengine = "postgresql"\n').books.own_process == "auto"
    with pytest.raises(BadConfig, match='own_process is for engine = "sqlite"'):
        read(tmp_path, '[books]\nengine = "postgresql"\nown_process = "always"\n')


def test_a_file_that_is_not_text_is_told_so(tmp_path: Path):
    (tmp_path / "farthing.toml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(BadConfig, match="it is not UTF-8"):
        load_config(tmp_path / "farthing.toml", {})


def test_a_file_that_is_not_there_is_an_error_only_if_it_was_named(tmp_path: Path):
    assert load_config(None, {"FARTHING_HOME": str(tmp_path)}).folder == str(tmp_path / "hub")
    with pytest.raises(BadConfig, match="there is no file"):
        load_config(None, {"FARTHING_CONFIG": str(tmp_path / "no.toml")})


def test_other_variables_of_ours_are_left_alone(tmp_path: Path):
    read(tmp_path, FARTHING_KEY="x", FARTHING_TEST_POSTGRES="y", FARTHING_HOME="z")


ACCOUNT = "acc_01m8as21r3mdmtv1ecdc75xsr0"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("ppm = 1000001", 4, "`ppm` must be 0 to 1000000"),
        ("ppm = -1", 4, "`ppm` must be 0 to 1000000"),
        ("ppm = '1'", 4, "`ppm` must be a whole number, not text"),
        ("ppm = 1\npm = 1", 5, "`pm` is unknown; did you mean `ppm`?"),
        ("flat = 'a lot'", 4, "'a lot' is not a price"),
        ("flat = '0.1 EUR'", 4, "a fee in USD cannot have an amount of '0.1 EUR'"),
        ("ppm = 1\nminimum = '0.1 GBP'", 5, "this hub does not know GBP"),
        ("minimum = '0.0000001 USD'", 4, "USD has 6 decimals"),
        ("rounding = 'sideways'", 4, "`rounding` must be one of down, half-even, up"),
        ("on_refund = 'burn'", 4, "`on_refund` must be one of keep, return"),
    ],
)
def test_a_wrong_fee_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str):
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, f"\n[fees.USD]\naccount = '{ACCOUNT}'\n{text}\n\n[log]\nformat = 'json'\n")
    start = f"{tmp_path}/farthing.toml, line {line}: [fees.USD] "
    assert caught.value.detail.startswith(start + says)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[fees.USD]\nppm = 1", 1, "[fees.USD] `account` is missing"),
        (
            "[fees.USD]\naccount = 'acc_1'",
            2,
            f'[fees.USD] `account` must be text such as "{ACCOUNT}',
        ),
        (f"[fees.GBP]\naccount = '{ACCOUNT}'", 1, "[fees.GBP] GBP is not in [assets]"),
        (f"[fees]\nGBP = {{ account = '{ACCOUNT}' }}", 2, "[fees.GBP] GBP is not in [assets]"),
        (f"[fees]\nUSD.account = '{ACCOUNT}'\nUSD.ppm = -1", 3, "[fees.USD] `ppm` must be"),
        (f"[fees.'USD']\naccount = '{ACCOUNT}'\nppm = -1", 3, "[fees.USD] `ppm` must be"),
        ("[fees]\nUSD = 5", 2, "[fees.USD] the whole must be an object"),
        ("[log]\n[assets]\nUSD = 19", 2, "scale"),
        ("[server]\nhost = ''\nport = 70000", 3, "`server.port` must be 0 to 65535"),
    ],
)
def test_the_line_is_found_however_the_file_is_written(
    tmp_path: Path, text: str, line: int, says: str
):
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, text)
    assert caught.value.detail.startswith(f"{tmp_path}/farthing.toml, line {line}: ")
    assert says in caught.value.detail


def test_fees_are_amounts_of_their_asset(tmp_path: Path):
    flat = read(tmp_path, f"[fees.USD]\naccount = '{ACCOUNT}'\nflat = '0.25 USD'\n")
    least = read(tmp_path, f"[fees.USD]\naccount = '{ACCOUNT}'\nminimum = '1 USD'\n")
    assert (flat.fee_units("USD"), least.fee_units("USD")) == ((250_000, 0), (0, 1_000_000))


def test_every_wrong_fee_is_told_and_not_only_the_first(tmp_path: Path):
    text = f"""
        [fees.USD]
        account = "{ACCOUNT}"
        ppm = -1
        flat = "1 EUR"
        [fees.EUR]
        ppm = 1
    """
    found = list(setting_faults(tomllib.loads(text), {}))
    assert [where[:2] for where in found] == [
        ("fees.USD", "ppm"),
        ("fees.USD", "flat"),
        ("fees.EUR", ""),
    ]


def test_records_beside_a_cluster_are_in_a_file_or_on_a_server(tmp_path):
    told = '[books]\nengine = "tigerbeetle"\naddresses = "127.0.0.1:3000"\n'
    assert read(tmp_path, told).books.in_file
    assert not read(tmp_path, f'{told}dsn = "postgresql://h/d"\n').books.in_file
    with pytest.raises(BadConfig, match="addresses: name TigerBeetle's replicas"):
        read(tmp_path, '[books]\nengine = "tigerbeetle"\n')


def test_a_table_of_rules_is_told_in_the_file_alone(tmp_path: Path):
    with pytest.raises(BadConfig, match="tables are told in the file alone"):
        read(tmp_path, FARTHING_RISK_RULES="velocity")
    assert read(tmp_path).risk.mode == "shadow"
    assert read(tmp_path, FARTHING_RISK_MODE="on").risk.mode == "on"


@pytest.mark.parametrize(
    "endpoint", ["file:///etc/passwd", "ftp://a.example/v1", "http://me:pw@a.example", "4318"]
)
def test_traces_go_to_an_address_of_the_web_alone(tmp_path: Path, endpoint: str):
    with pytest.raises(BadConfig) as refused:
        read(tmp_path, f'[tracing]\nendpoint = "{endpoint}"\n')
    assert "endpoint" in refused.value.problem()["detail"]
    whole = "http://127.0.0.1:4318/v1/traces"
    assert read(tmp_path, f'[tracing]\nendpoint = "{whole}"\n').tracing.endpoint == whole
