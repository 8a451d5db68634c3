"""Conformance item 15: the security table, override files and their whitelist; and that no secret is ever shown."""

import json
from pathlib import Path

import pytest

import telewire
from ma_dataplatforms_streaming_support_library import (
    ErrorCode,
    KafkaSecurityConfiguration,
    StreamCreationStrategy,
    StreamingApiConfiguration,
    SupportLibraryError,
)
from ma_dataplatforms_streaming_support_library.core.base.kafka_configuration import (
    Whitelist,
    kafka_configuration,
    override_file,
    security,
    whitelist,
)

SECRET = "h3nter2-never-shown"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, where the files have their default names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: object) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, {}),
        (KafkaSecurityConfiguration(), {}),
        (KafkaSecurityConfiguration(protocol="SaslSsl", sasl_password="p", ssl_key_location="k"), {}),
        (KafkaSecurityConfiguration(sasl_username="", protocol="SaslSsl"), {}),
        (
            KafkaSecurityConfiguration("u", "p"),
            {"protocol": "sasl_plaintext", "mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"},
        ),
        (
            KafkaSecurityConfiguration("u", "p", "SASLSSL", "scramsha256", ssl_ca_location="ca.pem"),
            {
                "protocol": "sasl_ssl",
                "mechanism": "SCRAM-SHA-256",
                "sasl_username": "u",
                "sasl_password": "p",
                "ssl_ca_location": "ca.pem",
            },
        ),
        (
            KafkaSecurityConfiguration("u", "p", "SaslPlaintext", "ScramSha512"),
            {"protocol": "sasl_plaintext", "mechanism": "SCRAM-SHA-512", "sasl_username": "u", "sasl_password": "p"},
        ),
        (
            KafkaSecurityConfiguration("u", "p", "sasl_plaintext", "SCRAM-SHA-512"),
            {"protocol": "sasl_plaintext", "mechanism": "SCRAM-SHA-512", "sasl_username": "u", "sasl_password": "p"},
        ),
        (
            KafkaSecurityConfiguration(
                protocol="ssl",
                mechanism="ScramSha512",
                ssl_ca_location="ca.pem",
                ssl_certificate_location="c.pem",
                ssl_key_location="k.pem",
                ssl_key_password="kp",
            ),
            {
                "protocol": "ssl",
                "ssl_ca_location": "ca.pem",
                "ssl_certificate_location": "c.pem",
                "ssl_key_location": "k.pem",
                "ssl_key_password": "kp",
            },
        ),
        (KafkaSecurityConfiguration("u", "p", "Plaintext"), {"protocol": "plaintext"}),
    ],
)
def test_conformance_15_the_security_table(given: KafkaSecurityConfiguration | None, meant: dict[str, str]) -> None:
    assert security(given)[0].as_dict() == meant


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        (KafkaSecurityConfiguration("u", "p"), 1),
        (KafkaSecurityConfiguration("u", "p", "Nonsense"), 1),
        (KafkaSecurityConfiguration("u", "p", "SaslPlaintext", "Nonsense"), 1),
        (KafkaSecurityConfiguration("u", "p", "SaslPlaintext"), 0),
        (KafkaSecurityConfiguration("u", "p", "SaslPlaintext", "Plain"), 0),
    ],
)
def test_conformance_15_a_guess_is_warned_of(given: KafkaSecurityConfiguration, warnings: int) -> None:
    assert len(security(given)[1]) == warnings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (KafkaSecurityConfiguration(ssl_ca_location="ca.pem"), "Plaintext, Ssl, SaslPlaintext or SaslSsl"),
        (KafkaSecurityConfiguration("u", "p", ssl_ca_location="ca.pem"), "no security protocol is given"),
        (KafkaSecurityConfiguration("u", "p", "Nonsense", ssl_ca_location="ca.pem"), "'Nonsense' is not known"),
        (KafkaSecurityConfiguration("u"), "no security protocol is given"),
        (KafkaSecurityConfiguration("u", None, "SaslSsl"), "needs sasl_username and sasl_password"),
        (KafkaSecurityConfiguration(protocol="SaslSsl", ssl_ca_location="ca.pem"), "needs sasl_username"),
    ],
)
def test_conformance_15_tls_is_not_guessed(given: KafkaSecurityConfiguration, told: str) -> None:
    with pytest.raises(SupportLibraryError, match=told) as failure:
        security(given)
    assert failure.value.error_code == "SL-CFG-003"


def test_conformance_15_passwords_are_never_shown() -> None:
    given = KafkaSecurityConfiguration("u", SECRET, "SaslSsl", ssl_ca_location="ca.pem", ssl_key_password=SECRET)
    configuration = StreamingApiConfiguration(
        "a:1",
        StreamCreationStrategy.TOPIC_BASE,
        [f"sasl.password={SECRET}", f"ssl.key.password={SECRET}", f"sasl.oauthbearer.client.secret={SECRET}"],
        security=given,
    )
    found = kafka_configuration(configuration)
    shown = [repr(given), str(given), repr(configuration), str(configuration), repr(found), repr(found.config.security)]
    assert found.config.security.sasl_password == SECRET
    assert found.config.kafka["sasl.password"] == SECRET
    for text in shown:
        assert SECRET not in text
        assert "***" in text


def test_conformance_15_no_error_shows_a_password(folder: Path) -> None:
    with pytest.raises(TypeError) as misspelt:
        StreamingApiConfiguration("a:1", StreamCreationStrategy.TOPIC_BASE, [f"sasl.password:{SECRET}"])
    with pytest.raises(SupportLibraryError) as unusable:
        security(KafkaSecurityConfiguration("u", SECRET, ssl_ca_location="ca.pem"))
    write(folder / "kafka-publisher-broker.json", f'{{"sasl.password": "{SECRET}", }}')
    with pytest.raises(SupportLibraryError) as malformed:
        kafka_configuration(StreamingApiConfiguration())
    for failure in (misspelt, unusable, malformed):
        assert SECRET not in str(failure.value)


def test_security_fields_are_text_and_may_be_changed() -> None:
    given = KafkaSecurityConfiguration()
    given.sasl_username = "u"
    assert given.sasl_username == "u"
    with pytest.raises(TypeError, match="sasl_password must be a str or None"):
        given.sasl_password = b"x"  # type: ignore[assignment]


RULES = Whitelist(publish=(("linger.*", True), ("*.ms", False), ("?cks", True)))


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("linger.ms", True),  # the first match wins
        ("LINGER.MS", True),
        ("message.timeout.ms", False),
        ("acks", True),
        ("backs", False),  # `?` is one character
        ("compression.type", False),  # rules, and none matches
        ("lingerXms", False),  # a dot is a dot
    ],
)
def test_conformance_15_whitelist_rules(name: str, allowed: bool) -> None:
    assert RULES.allows("Publish", name) is allowed


def test_conformance_15_an_empty_section_and_a_missing_whitelist_allow_everything(folder: Path) -> None:
    assert RULES.allows("Consume", "anything.at.all")
    assert whitelist("missing.json").allows("Publish", "anything")
    write(folder / "w.json", {"Publish": [], "Consume": [{"Pattern": "a*", "Allow": False}]})
    found = whitelist("w")
    assert found.allows("Publish", "x")
    assert not found.allows("Consume", "abc")
    assert not found.allows("Consume", "b")


def test_conformance_15_what_the_whitelist_denies_has_no_effect_and_is_told(folder: Path) -> None:
    write(folder / "kafka-publisher-broker.json", {"linger.ms": "5", "compression.type": "none"})
    write(folder / "kafka-consumer-broker.json", {"fetch.min.bytes": 7, "check.crcs": True})
    write(folder / "kafka-broker-whitelist.json", {"Publish": [{"Pattern": "LINGER.*", "Allow": True}]})
    found = kafka_configuration(StreamingApiConfiguration())
    assert dict(found.config.producer) == {"linger.ms": "5"}
    assert dict(found.config.consumer) == {"fetch.min.bytes": "7", "check.crcs": "true"}
    assert len(found.warnings) == 1
    assert "compression.type" in found.warnings[0]


def test_precedence_files_then_additional_properties_then_the_library(folder: Path) -> None:
    write(folder / "p.json", {"linger.ms": "5", "acks": "1", "bootstrap.servers": "evil:1"})
    write(folder / "c.json", {"group.id": "g", "auto.offset.reset": "latest", "fetch.min.bytes": "1", "linger.ms": "9"})
    found = kafka_configuration(
        StreamingApiConfiguration(
            "a:1",
            StreamCreationStrategy.TOPIC_BASE,
            ["linger.ms=50", "bootstrap.servers=evil:2", "group.id=x"],
            kafka_broker_publishing_config_file_path="p",
            kafka_broker_consuming_config_file_path="c.JSON" if (folder / "c.JSON").exists() else "c.json",
        )
    )
    config = found.config
    assert config.brokers == "a:1"
    assert dict(config.kafka) == {"linger.ms": "50"}
    assert {**config.producer, **config.kafka} == {"linger.ms": "50", "acks": "1"}
    assert dict(config.consumer) == {"fetch.min.bytes": "1"}
    assert sum("has no effect" in warning for warning in found.warnings) == 5


def test_missing_files_mean_defaults_and_the_rest_goes_where_it_belongs() -> None:
    found = kafka_configuration(
        StreamingApiConfiguration(
            "a:1",
            StreamCreationStrategy.PARTITION_BASE,
            [("Chassis", 3), ("", 0)],
            7,
            domain="team",
        )
    )
    assert found == type(found)(
        telewire.Config(
            brokers="a:1", domain="team", strategy="partition", partition_mappings={"Chassis": 3}, timeout_s=7
        )
    )


def test_properties_of_telewire_choose_the_layout() -> None:
    given = ["telewire.layout=classic", "linger.ms=1"]
    found = kafka_configuration(StreamingApiConfiguration("a:1", StreamCreationStrategy.TOPIC_BASE, given))
    assert (found.config.layout, found.config.named_stream_form) == ("classic", None)
    assert dict(found.config.kafka) == {"linger.ms": "1"}
    form = {"telewire.layout": "domain", "telewire.named_stream_form": "B"}
    assert kafka_configuration(StreamingApiConfiguration(additional_properties=form)).config.named_stream_form == "B"


@pytest.mark.parametrize("given", ["telewire.layout=old", "telewire.lay=classic", "telewire.named_stream_form=C"])
def test_unknown_properties_of_telewire_are_refused(given: str) -> None:
    with pytest.raises(SupportLibraryError, match=given.split("=", maxsplit=1)[0]) as failure:
        kafka_configuration(StreamingApiConfiguration("a:1", StreamCreationStrategy.TOPIC_BASE, [given]))
    assert failure.value.error_code == ErrorCode.UNUSABLE_SETTING


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "null", '"x"', '{"linger.ms": null}', '{"a": {"b": 1}}', '{"a": ["b"]}', "", "[" * 100_000, "\udc80"],
    ids=["open", "list", "null", "text", "null-value", "nested", "list-value", "empty", "deep", "not-utf-8"],
)
def test_a_malformed_override_file_is_named_with_its_code(content: str, folder: Path) -> None:
    (folder / "o.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SupportLibraryError, match=r"^cannot parse 'o\.json': .+") as failure:
        override_file("o.json")
    assert failure.value.error_code == "SL-CFG-002"


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"Publish": {}},
        {"Publish": [5]},
        {"Consume": [{"Pattern": "a"}]},
        {"Consume": [{"Pattern": "a", "Allow": "true"}]},
        {"Consume": [{"Pattern": 1, "Allow": True}]},
    ],
)
def test_a_malformed_whitelist_is_named_with_its_code(content: object, folder: Path) -> None:
    write(folder / "w.json", content)
    with pytest.raises(SupportLibraryError, match=r"^cannot parse 'w\.json': .+") as failure:
        whitelist("w.json")
    assert failure.value.error_code == "SL-CFG-002"


def test_a_folder_in_place_of_a_file_is_malformed_and_a_byte_order_mark_is_not(folder: Path) -> None:
    (folder / "d.json").mkdir()
    with pytest.raises(SupportLibraryError, match="cannot parse 'd'"):
        override_file("d")
    (folder / "bom.json").write_bytes(b'\xef\xbb\xbf{"acks": "all"}')
    assert override_file("bom") == {"acks": "all"}
