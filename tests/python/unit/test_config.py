"""Where settings come from, which one wins, and that secrets never show."""

from pathlib import Path

import pytest

from telewire import Config, ConfigError, Security


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_defaults_hold_when_nothing_is_given() -> None:
    config = Config.load(environment={})
    assert config == Config()
    assert (config.brokers, config.layout, config.strategy, config.timeout_s) == ("localhost:9092", "auto", "topic", 10)


def test_arguments_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "brokers = 'file:1'\ndomain = 'file'\nlayout = 'classic'\ntimeout_s = 3\n")
    environment = {"TELEWIRE_BROKER": "environment:1", "TELEWIRE_DOMAIN": "environment"}
    config = Config.load(file, environment=environment, brokers="argument:1")
    assert (config.brokers, config.domain, config.layout, config.timeout_s) == (
        "argument:1",
        "environment",
        "classic",
        3,
    )
    assert config.strategy == "topic"


def test_tables_are_joined_entry_by_entry(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml",
        "[security]\nsasl_username = 'file'\nprotocol = 'sasl_ssl'\n[producer]\n'linger.ms' = 5\n'acks' = 'all'\n",
    )
    environment = {"TELEWIRE_SECURITY__SASL_USERNAME": "me", "TELEWIRE_PRODUCER__LINGER_MS": "7"}
    config = Config.load(file, environment=environment, security={"sasl_password": "p"})
    assert config.security == Security(protocol="sasl_ssl", sasl_username="me", sasl_password="p")
    assert config.producer == {"linger.ms": "7", "acks": "all"}


def test_a_file_in_the_working_folder_is_found_and_a_named_one_wins(tmp_path: Path) -> None:
    write(tmp_path / "telewire.toml", "domain = 'here'\n")
    assert Config.load(environment={}).domain == "here"
    other = write(tmp_path / "other.toml", "domain = 'there'\n")
    assert Config.load(environment={"TELEWIRE_CONFIG": str(other)}).domain == "there"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("broker = 'x:1'", "did you mean 'brokers'"),
        ("[security]\nsasl_user = 'x'", "did you mean 'sasl_username'"),
        ("layout = 'domian'", "auto, classic, domain"),
        ("timeout_s = 'soon'", "number of seconds"),
        ("timeout_s = 0", "positive"),
        ("connect_timeout_s = 0", "connect_timeout_s must be a positive"),
        ("connect_timeout_s = 'soon'", "number of seconds"),
        ("quiet_s = -1", "quiet_s must be a number of seconds from 0"),
        ("brokers = ''", "embedded://"),
        ("brokers = 7", "must be text"),
        ("security = 'tls'", "table"),
        ("[partition_mappings]\nChassis = -1", "Chassis"),
        ("[partition_mappings]\nChassis = true", "Chassis"),
        ("brokers = ", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_the_file(tmp_path: Path, text: str, says: str) -> None:
    file = write(tmp_path / "mine.toml", text)
    with pytest.raises(ConfigError, match=r"mine\.toml") as caught:
        Config.load(file, environment={})
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        Config.load(tmp_path / "absent.toml", environment={})


def test_durations_come_from_every_source(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "connect_timeout_s = 3\nquiet_s = 2\n")
    config = Config.load(file, environment={"TELEWIRE_CONNECT_TIMEOUT_S": "1.5"}, quiet_s=0.25)
    assert (config.connect_timeout_s, config.quiet_s, config.timeout_s) == (1.5, 0.25, 10)
    defaults = Config.load(environment={})
    assert (defaults.connect_timeout_s, defaults.quiet_s) == (None, 0)


def test_partition_mappings_come_from_the_environment() -> None:
    config = Config.load(environment={"TELEWIRE_PARTITION_MAPPINGS": "Chassis=1, Engine=2"})
    assert config.partition_mappings == {"Chassis": 1, "Engine": 2}
    with pytest.raises(ConfigError, match="Chassis=1,Engine=2"):
        Config.load(environment={"TELEWIRE_PARTITION_MAPPINGS": "Chassis"})


def test_properties_are_text_for_librdkafka() -> None:
    config = Config.load(environment={}, kafka={"socket.keepalive.enable": True, "socket.timeout.ms": 5000})
    assert config.kafka == {"socket.keepalive.enable": "true", "socket.timeout.ms": "5000"}


def test_secrets_never_show() -> None:
    secret = "hunter2"
    config = Config(
        security=Security(sasl_username="me", sasl_password=secret, ssl_key_password=secret),
        kafka={"sasl.password": secret, "ssl.key.pem": secret, "client.id": "shown"},
        producer={"sasl.oauthbearer.client.secret": secret},
    )
    for text in (repr(config), str(config), repr(config.security), f"{config.security}"):
        assert secret not in text
    assert "shown" in repr(config)
    assert "me" in repr(config)


def test_other_variables_with_the_prefix_are_left_alone() -> None:
    environment = {"TELEWIRE_TEST_BROKERS": "x", "TELEWIRE_LOG": "debug", "TELEWIRE_DOMAIN": ""}
    assert Config.load(environment=environment) == Config()
