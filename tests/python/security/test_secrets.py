"""Passwords and keys never appear in anything that a program, a log or a terminal shows, whatever goes wrong."""

import base64
import json
import os
import subprocess
import sys
import traceback
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import telewire
from guarded_kafka import PASSWORD, GuardedKafka, new_domain
from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
    KafkaSecurityConfiguration,
)
from readings import Log
from serving import create, where

WRONG, LOCK, OTHER = "wr0ng-battery-93aa", "sesame-staple-41bd", "un$afe-tok&n-77fe"
"""A password that is wrong, one of a key file, and one that stands where it does not belong."""
USERS = ("car", "nobody")
EVERYTHING = {"debug": "all"}
"""librdkafka tells everything that it can tell."""


def spellings(secret: str) -> set[str]:
    """A secret as it is, and in the forms in which it travels or may be quoted."""
    raw = secret.encode()
    plain = {base64.b64encode(f"\0{user}\0{secret}".encode()).decode() for user in USERS}
    forms = {secret, base64.b64encode(raw).decode(), raw.hex(), urllib.parse.quote(secret), json.dumps(secret)[1:-1]}
    return forms | plain | {repr(secret)[1:-1]}


SECRET = frozenset().union(*(spellings(secret) for secret in (PASSWORD, WRONG, LOCK, OTHER)))


class Seen:
    """Everything that was to be seen."""

    def __init__(self, log: pytest.LogCaptureFixture, hidden: set[str]) -> None:
        self._log = log
        self._hidden = SECRET | hidden
        self._texts: list[str] = []

    def add(self, *things: object) -> None:
        self._texts += [text for thing in things for text in (str(thing), repr(thing))]

    def add_error(self, error: BaseException) -> None:
        self.add(error, error.__dict__, "".join(traceback.format_exception(error)))

    def text(self) -> str:
        records = (f"{record.getMessage()} {record.__dict__}" for record in self._log.records)
        return "\n".join([*self._texts, *records])

    def holds_no_secret(self) -> None:
        text = self.text()
        # Not an assertion about `in`: pytest would print both sides.
        found = sum(secret in text for secret in self._hidden)
        assert found == 0, f"{found} forms of secrets can be seen"


@pytest.fixture
def seen(guarded: GuardedKafka, caplog: pytest.LogCaptureFixture) -> Iterator[Seen]:
    """What a test adds, and the whole log, hold no secret in the end; nor the middle of a private key."""
    caplog.set_level(1)
    for name in ("telewire", "telewire.kafka"):
        caplog.set_level(1, name)
    lines = guarded.client.key.read_text().splitlines()
    seen = Seen(caplog, {line for line in lines if len(line) > 20 and not line.startswith("-----")})
    yield seen
    seen.holds_no_secret()


WAYS: dict[str, tuple[str, Callable[[GuardedKafka], Mapping[str, str]]]] = {
    "PLAIN": ("sasl", lambda guarded: guarded.security("sasl", "PLAIN")),
    "SCRAM-SHA-256": ("sasl", lambda guarded: guarded.security("sasl", "SCRAM-SHA-256")),
    "SCRAM-SHA-512 over TLS": ("sasl_tls", lambda guarded: guarded.security("sasl_tls", "SCRAM-SHA-512")),
    "a key with a password": (
        "mutual",
        lambda guarded: (
            guarded.security("mutual")
            | {"ssl_key_location": str(guarded.client.locked(LOCK)), "ssl_key_password": LOCK}
        ),
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_no_secret_can_be_seen_of_a_connection_that_works(
    guarded: GuardedKafka, seen: Seen, way: tuple[str, Callable[[GuardedKafka], Mapping[str, str]]]
) -> None:
    listener, security = way
    config = telewire.Config.load(
        brokers=guarded.addresses[listener],
        domain=new_domain(),
        security=security(guarded),
        kafka=EVERYTHING,
        statistics_s=0.1,
    )
    with telewire.connect(config=config) as client:
        with client.create_session("CarA", identifier="FP1") as session:
            session.packet("Note", b"x")
        with client.read(session.key) as reader:
            assert any(packet.type == "Note" for packet in reader)
            seen.add(reader, reader.health())
        seen.add(config, config.security, client, session, client.health(), client.health().as_dict())
        seen.add(client.metrics_text(), client.statistics())
    # The broker's side of the log is there: what is looked through is not empty.
    assert "librdkafka" in seen.text()


FAILURES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "wrong password PLAIN": ("sasl", {"mechanism": "PLAIN", "sasl_password": WRONG}, {}),
    "wrong password SCRAM": ("sasl_tls", {"mechanism": "SCRAM-SHA-512", "sasl_password": WRONG}, {}),
    "unknown user": ("sasl", {"sasl_username": "nobody", "sasl_password": WRONG}, {}),
    "wrong mechanism": ("scram", {"mechanism": "PLAIN"}, {}),
    "unknown mechanism": ("scram", {"mechanism": "DIGEST"}, {}),
    "unknown protocol": ("sasl", {"protocol": "tls1"}, {}),
    "login where none is asked": ("plain", {}, {}),
    "login where TLS is spoken": ("sasl_tls", {"protocol": "sasl_plaintext"}, {}),
    "wrong key password": ("mutual", {"ssl_key_password": WRONG}, {}),
    "password in the place of a file": ("mutual", {"ssl_key_password": LOCK, "ssl_key_location": "absent"}, {}),
    "a secret as an unknown property": ("sasl", {}, {"sasl.passwort.token": OTHER}),
    "a secret that librdkafka does not take": ("mutual", {}, {"ssl.key.pem": OTHER}),
    "a secret of another mechanism": ("sasl", {}, {"sasl.oauthbearer.config": OTHER, "sasl.mechanism": "OAUTHBEARER"}),
    "a secret for a switch": ("sasl", {}, {"sasl.password": OTHER, "enable.ssl.certificate.verification": "maybe"}),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES.keys())
def test_no_secret_can_be_seen_of_a_connection_that_is_refused(
    guarded: GuardedKafka, seen: Seen, case: tuple[str, dict[str, str], dict[str, str]]
) -> None:
    listener, changes, kafka = case
    security = guarded.security("sasl" if listener == "plain" else listener) | changes
    if listener == "mutual":
        locked = {"ssl_key_location": str(guarded.client.locked(LOCK)), "ssl_key_password": LOCK}
        security = security | locked | changes
    with pytest.raises(telewire.TelewireError) as caught:
        telewire.connect(guarded.addresses[listener], security=security, kafka=EVERYTHING | kafka, timeout_s=1)
    seen.add_error(caught.value)


def test_a_password_in_an_address_is_refused_without_being_shown(seen: Seen) -> None:
    with pytest.raises(telewire.ConfigError, match="sasl_password") as caught:
        telewire.connect(f"sasl_ssl://car:{PASSWORD}@127.0.0.1:9093")
    seen.add_error(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f'[security]\nsasl_password = "{PASSWORD}"\nsasl_pasword = "{WRONG}"\n',
        f'[security]\nsasl_password = "{PASSWORD}\n',
        f'security = "{PASSWORD}"\n',
    ],
    ids=["unknown name", "not ended", "no table"],
)
def test_a_mistake_in_a_file_is_told_without_its_secrets(seen: Seen, tmp_path: Path, text: str) -> None:
    path = tmp_path / "telewire.toml"
    path.write_text(text)
    with pytest.raises(telewire.ConfigError) as caught:
        telewire.Config.load(path, environment={})
    seen.add_error(caught.value)


@pytest.mark.parametrize("password", [PASSWORD, WRONG], ids=["right", "wrong"])
def test_no_secret_can_be_seen_of_the_command(guarded: GuardedKafka, seen: Seen, password: str) -> None:
    variables = {
        "TELEWIRE_BROKER": guarded.addresses["sasl_tls"],
        "TELEWIRE_DOMAIN": new_domain(),
        "TELEWIRE_LOG": "debug",
        "TELEWIRE_KAFKA__DEBUG": "all",
        **{f"TELEWIRE_SECURITY__{key.upper()}": value for key, value in guarded.security("sasl_tls").items()},
        "TELEWIRE_SECURITY__SASL_PASSWORD": password,
    }
    done = subprocess.run(
        [sys.executable, "-m", "telewire", "sessions"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | variables,
    )
    seen.add(done.stdout, done.stderr)
    assert done.returncode == (0 if password == PASSWORD else 1), done.stderr
    assert "telewire.kafka" in done.stderr


@pytest.mark.parametrize("password", [PASSWORD, WRONG], ids=["right", "wrong"])
def test_no_secret_can_be_seen_of_the_drop_in(guarded: GuardedKafka, seen: Seen, tmp_path: Path, password: str) -> None:
    security = KafkaSecurityConfiguration("car", password, "SaslPlaintext", "ScramSha256")
    options: dict[str, Any] = {"security": security, "timeout_seconds": 2}
    configuration = where(guarded.addresses["sasl"], new_domain(), **options)
    library, log = create(configuration)
    seen.add(configuration, security, library)
    outcome = library.initialise()
    assert outcome.success is (password == PASSWORD)
    seen.add(outcome, outcome.message, library.metrics_text())
    library.stop()
    assert isinstance(log, Log)
    seen.add(log.lines)
