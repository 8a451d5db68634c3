"""What proves nothing is refused by default, within the time-out, with a message that says which proof failed."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import telewire
from guarded_kafka import GuardedKafka, new_domain

LIMIT_S = 1.2

Case = tuple[str, Callable[[GuardedKafka], dict[str, str]], str, str]


def _tls(**changes: str) -> Callable[[GuardedKafka], dict[str, str]]:
    return lambda guarded: guarded.security("tls") | changes


def _login(listener: str, mechanism: str, **changes: str) -> Callable[[GuardedKafka], dict[str, str]]:
    return lambda guarded: guarded.security(listener, mechanism) | changes


REFUSED: dict[str, Case] = {
    "expired certificate": ("expired", _tls(), "authentication", "has expired"),
    "certificate of tomorrow": ("early", _tls(), "authentication", "is not valid yet"),
    "wrong host": ("elsewhere", _tls(), "authentication", "does not speak for the host '127.0.0.1'"),
    "self-signed": ("itself", _tls(), "authentication", "is signed by itself"),
    "unknown authority": ("tls", lambda _: {"protocol": "ssl"}, "authentication", "authority that is not trusted"),
    "wrong authority": (
        "tls",
        lambda guarded: _tls(ssl_ca_location=str(guarded.other_authority.certificate))(guarded),
        "authentication",
        "authority that is not trusted",
    ),
    "no client certificate": ("mutual", _tls(), "authentication", "asks clients for a certificate"),
    "stranger's certificate": (
        "mutual",
        lambda guarded: (
            guarded.security("tls")
            | {
                "ssl_certificate_location": str(guarded.stranger.certificate),
                "ssl_key_location": str(guarded.stranger.key),
            }
        ),
        "authentication",
        "does not accept its authority",
    ),
    "wrong password PLAIN": (
        "sasl",
        _login("sasl", "PLAIN", sasl_password="no"),
        "authentication",
        "password is wrong",
    ),
    "wrong password SCRAM": (
        "sasl_tls",
        _login("sasl_tls", "SCRAM-SHA-512", sasl_password="no"),
        "authentication",
        "password is wrong",
    ),
    "unknown user PLAIN": ("sasl", _login("sasl", "PLAIN", sasl_username="no"), "authentication", "user name or"),
    "unknown user SCRAM": (
        "sasl",
        _login("sasl", "SCRAM-SHA-256", sasl_username="no"),
        "authentication",
        "user name or",
    ),
    "wrong mechanism": ("scram", _login("scram", "PLAIN"), "authentication", "SCRAM-SHA-512; choose one of these"),
    "login where none is asked": ("plain", _login("sasl", "PLAIN"), "authentication", "asks for no user"),
    "plaintext to TLS": ("tls", lambda _: {}, "unreachable", "may speak TLS"),
    "plaintext to SASL": ("sasl", lambda _: {}, "unreachable", "asks for a user and a password"),
    "SASL to SASL with TLS": ("sasl_tls", _login("sasl", "PLAIN"), "unreachable", "may speak TLS"),
    "TLS to plaintext": ("plain", _tls(), "authentication", "speaks no TLS"),
    "TLS to SASL with TLS": ("sasl_tls", _tls(), "unreachable", "asks for a user and a password"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_says_which_proof_failed_within_the_time_out(guarded: GuardedKafka, case: Case) -> None:
    listener, security, code, says = case
    begin = time.monotonic()
    with pytest.raises(telewire.KafkaError) as caught:
        telewire.connect(guarded.addresses[listener], security=security(guarded), timeout_s=LIMIT_S)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert time.monotonic() - begin < LIMIT_S + 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ssl_ca_location": "absent"}, "ssl_ca_location 'absent' cannot be read"),
        ({"ssl_ca_location": "garbage"}, "ssl_ca_location 'garbage' holds no PEM"),
        ({"ssl_key_location": "absent"}, "ssl_key_location 'absent' cannot be read"),
        ({"ssl_key_location": "."}, "is a folder"),
        ({"ssl_key_location": ""}, "without ssl_key_location"),
        ({"ssl_certificate_location": ""}, "without ssl_certificate_location"),
        ({"ssl_certificate_location": "garbage"}, "ssl_certificate_location 'garbage' holds no PEM"),
        ({"ssl_key_location": "stranger"}, "is not the key of the certificate"),
        ({"ssl_key_location": "locked"}, "give it as ssl_key_password"),
        ({"ssl_key_location": "locked", "ssl_key_password": "hunter2"}, "the password is wrong"),
    ],
)
def test_a_mistake_with_a_file_names_the_setting_and_the_file(
    guarded: GuardedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("garbage").write_text("no certificate")
    Path("stranger").write_bytes(guarded.stranger.key.read_bytes())
    Path("locked").write_bytes(guarded.client.locked("sesame").read_bytes())
    with pytest.raises(telewire.ConfigError) as caught:
        telewire.connect(guarded.addresses["mutual"], security=guarded.security("mutual") | change)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("listener", "name", "value", "says"),
    [
        ("elsewhere", "ssl.endpoint.identification.algorithm", "none", "a certificate of any host is accepted"),
        ("expired", "enable.ssl.certificate.verification", "false", "any broker is believed"),
    ],
)
def test_checks_are_switched_off_only_on_request_and_with_a_warning(
    guarded: GuardedKafka, caplog: pytest.LogCaptureFixture, listener: str, name: str, value: str, says: str
) -> None:
    caplog.set_level(logging.WARNING, "telewire")
    security = guarded.security("tls")
    with telewire.connect(guarded.addresses[listener], security=security, kafka={name: value}, domain=new_domain()):
        deadline = time.monotonic() + 5
        while says not in caplog.text:
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.02)
