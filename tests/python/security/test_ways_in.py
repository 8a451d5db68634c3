"""Every security protocol with every mechanism: what is written through it is read through it."""

import pytest

import telewire
from guarded_kafka import GuardedKafka, new_domain

WAYS = [
    ("tls", ""),
    ("mutual", ""),
    *((listener, mechanism) for listener in ("sasl", "sasl_tls") for mechanism in ("PLAIN", "SCRAM-SHA-256")),
    ("sasl", "SCRAM-SHA-512"),
    ("sasl_tls", "SCRAM-SHA-512"),
]


@pytest.mark.parametrize(("listener", "mechanism"), WAYS)
def test_a_session_is_written_and_read_back_through_every_way_in(
    guarded: GuardedKafka, listener: str, mechanism: str
) -> None:
    security = guarded.security(listener, mechanism)
    address, domain = guarded.addresses[listener], new_domain()
    times = [1_000_000_000, 2_000_000_000]
    with telewire.connect(address, security=security, domain=domain) as client:
        with client.create_session("CarA", identifier="run") as session:
            session.configure([telewire.Parameter("v", row=True)])
            session.stream("Chassis").write_rows("v", timestamps_ns=times, values=[1.5, 2.5])
        data = client.load(session.key)
        values = list(data["v"].values)
    assert values == [1.5, 2.5]


def test_a_key_with_a_password_is_opened(guarded: GuardedKafka) -> None:
    locked = {"ssl_key_location": str(guarded.client.locked("sesame")), "ssl_key_password": "sesame"}
    security = guarded.security("mutual") | locked
    with telewire.connect(guarded.addresses["mutual"], security=security, domain=new_domain()) as client:
        assert client.sessions() == []
