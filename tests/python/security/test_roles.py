"""Rights on a broker with access control: each role of the operators' page does its job with the rights named there.

And without any single one of them it is told which, on what, and for whom, instead of waiting in silence.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

import telewire
from guarded_kafka import GuardedKafka, Right, new_domain
from processes import wait_until

LIMIT_S = 5.0
SOURCE = "CarA"
INFO, ESSENTIALS, MAIN, STREAM = "Sys.SessionInfo", f"Essential.{SOURCE}", f"Data.{SOURCE}", f"Data.{SOURCE}.Chassis"
EVERY = (INFO, ESSENTIALS, MAIN, STREAM)

Role = tuple[tuple[str, str], ...]
"""Topics without their domain, and rights."""

WRITER: Role = (*((topic, "Write") for topic in EVERY), (INFO, "Read"), (ESSENTIALS, "Read"))
READER: Role = tuple((topic, "Read") for topic in EVERY)


def rights(domain: str, role: Sequence[tuple[str, str]]) -> list[Right]:
    return [("topic", f"{domain}.{topic}", operation) for topic, operation in role]


def without(role: Role, missing: tuple[str, str]) -> Role:
    return tuple(right for right in role if right != missing)


@contextmanager
def connected(guarded: GuardedKafka, user: str, domain: str) -> Iterator[telewire.Client]:
    security = guarded.security("sasl", user=user)
    with telewire.connect(guarded.addresses["sasl"], security=security, domain=domain, timeout_s=LIMIT_S) as client:
        yield client


def write(client: telewire.Client) -> tuple[str, telewire.Flushed]:
    """A session with something on each of its topics: its key, and what became of its packets."""
    session = client.create_session(SOURCE, identifier="FP1")
    session.configure([telewire.Parameter("v", row=True)])
    session.lap("Lap 1", 1_000_000_000, number=1)
    session.stream("Chassis").write_rows("v", timestamps_ns=[1_000_000_000], values=[1.5])
    flushed = session.flush()
    if flushed:
        session.end()
    return session.key, flushed


def read(client: telewire.Client, key: str) -> list[float]:
    """Everything of a session: its values, from columns, after its packets were read too."""
    with client.read(key) as reader:
        assert any(packet.stream == "Chassis" for packet in reader)
    return list(client.load(key)["v"].values)


def refusal(call: Callable[[], tuple[str, telewire.Flushed]]) -> str:
    """What is said of a right that lacks, by an exception or as the outcome of a packet; in time."""
    begin = time.monotonic()
    flushed: telewire.Flushed | None = None
    raised: telewire.KafkaError | None = None
    try:
        _, flushed = call()
    except telewire.KafkaError as error:
        raised = error
    assert time.monotonic() - begin < LIMIT_S
    if raised is None:
        assert flushed is not None
        assert flushed.left == 0
        return flushed.failed[0].error or ""
    assert (raised.code, raised.retriable) == ("denied", False), raised
    assert raised.kafka_code.endswith("_AUTHORIZATION_FAILED")
    return str(raised)


@pytest.fixture
def domain(guarded: GuardedKafka) -> str:
    """A domain in which an administrator has made all topics."""
    domain = new_domain()
    with connected(guarded, "car", domain) as client:
        assert write(client)[1]
    return domain


@pytest.fixture
def key(guarded: GuardedKafka, domain: str) -> str:
    """The session that is there."""
    with connected(guarded, "car", domain) as client:
        return client.sessions()[0].key


# Writing


def test_a_writer_needs_no_more_than_the_rights_of_its_role(guarded: GuardedKafka, domain: str) -> None:
    with guarded.allowed("writer", rights(domain, WRITER)), connected(guarded, "writer", domain) as client:
        key, flushed = write(client)
        assert flushed
    with connected(guarded, "car", domain) as client:
        assert read(client, key) == [1.5]


@pytest.mark.parametrize("missing", WRITER, ids=" ".join)
def test_a_writer_without_one_right_is_told_which_one(
    guarded: GuardedKafka, domain: str, missing: tuple[str, str]
) -> None:
    topic, operation = missing
    left = rights(domain, without(WRITER, missing))
    with guarded.allowed("writer", left), connected(guarded, "writer", domain) as client:
        said = refusal(lambda: write(client))
    assert f"user 'writer' lacks the right {operation} on topic '{domain}.{topic}'" in said
    assert "administrator" in said


def test_a_user_without_any_right_is_told_when_writing(guarded: GuardedKafka, domain: str) -> None:
    with connected(guarded, "writer", domain) as client:
        said = refusal(lambda: write(client))
    assert f"user 'writer' lacks the right Write on topic '{domain}.{INFO}'" in said


def test_a_packet_for_a_topic_that_may_only_be_read_fails_with_the_right_in_its_outcome(
    guarded: GuardedKafka, domain: str
) -> None:
    role = (*without(WRITER, (STREAM, "Write")), (STREAM, "Read"))
    with guarded.allowed("writer", rights(domain, role)), connected(guarded, "writer", domain) as client:
        _, flushed = write(client)
        assert [packet.stream for packet in flushed.failed] == ["Chassis"] * len(flushed.failed)
        assert f"lacks the right Write on topic '{domain}.{STREAM}'" in (flushed.failed[0].error or "")
        assert STREAM in str(client.health().as_dict())


def test_a_writer_that_loses_a_right_is_told_and_goes_on_when_it_is_given_back(
    guarded: GuardedKafka, domain: str
) -> None:
    lost = rights(domain, [(STREAM, "Write")])
    with guarded.allowed("writer", rights(domain, WRITER)), connected(guarded, "writer", domain) as client:
        session = client.create_session(SOURCE, identifier="FP2")
        stream = session.stream("Chassis")
        stream.packet("Note", b"before")
        assert session.flush()
        guarded.forbid("writer", lost)
        stream.packet("Note", b"meanwhile")
        failed = session.flush().failed
        assert len(failed) == 1
        assert f"lacks the right Write on topic '{domain}.{STREAM}'" in (failed[0].error or "")
        assert failed[0].payload
        guarded.allow("writer", lost)
        stream.packet("Note", b"after")
        assert session.flush()
        session.end()
    with connected(guarded, "car", domain) as client, client.read(session.key) as reader:
        assert [packet.content for packet in reader if packet.type == "Note"] == [b"before", b"after"]


def test_topics_are_made_with_the_right_to_create_and_without_it_that_one_is_named(guarded: GuardedKafka) -> None:
    domain = new_domain()
    some: list[Right] = [("topic", f"{domain}.*", "Write"), ("topic", f"{domain}.*", "Read")]
    create: list[Right] = [("topic", f"{domain}.*", "Create")]
    with guarded.allowed("writer", some), connected(guarded, "writer", domain) as client:
        said = refusal(lambda: write(client))
        assert f"user 'writer' lacks the right Create on topic '{domain}.{INFO}'" in said
        with guarded.allowed("writer", create):
            key, flushed = write(client)
            assert flushed
        assert read(client, key) == [1.5]


def test_retention_is_checked_with_the_right_to_describe_settings_and_passed_over_without(
    guarded: GuardedKafka, domain: str
) -> None:
    guarded.alter_topic(f"{domain}.{ESSENTIALS}", "cleanup.policy", "compact")
    with guarded.allowed("writer", rights(domain, WRITER)), connected(guarded, "writer", domain) as client:
        begin = time.monotonic()
        assert client.retention_warnings(SOURCE) == []
        assert time.monotonic() - begin < LIMIT_S
        with guarded.allowed("writer", rights(domain, [(topic, "DescribeConfigs") for topic in EVERY])):
            (warning,) = client.retention_warnings(SOURCE)
    assert f"{domain}.{ESSENTIALS}" in warning


# Reading


def test_a_reader_needs_no_more_than_the_rights_of_its_role(guarded: GuardedKafka, domain: str, key: str) -> None:
    with guarded.allowed("reader", rights(domain, READER)), connected(guarded, "reader", domain) as client:
        assert [info.key for info in client.sessions()] == [key]
        assert read(client, key) == [1.5]


@pytest.mark.parametrize("left", ["", "Describe"], ids=["hidden", "visible"])
@pytest.mark.parametrize("missing", READER, ids=" ".join)
def test_a_reader_without_one_right_is_told_which_one(
    guarded: GuardedKafka, domain: str, key: str, missing: tuple[str, str], left: str
) -> None:
    topic, operation = missing
    role = without(READER, missing) + (((topic, left),) if left else ())
    with guarded.allowed("reader", rights(domain, role)), connected(guarded, "reader", domain) as client:
        begin = time.monotonic()
        with pytest.raises(telewire.KafkaError) as caught:
            read(client, key)
        assert time.monotonic() - begin < LIMIT_S
    assert (caught.value.code, caught.value.kafka_code) == ("denied", "TOPIC_AUTHORIZATION_FAILED")
    assert f"user 'reader' lacks the right {operation} on topic '{domain}.{topic}'" in str(caught.value)


def test_a_reader_that_loses_a_right_is_told_and_reads_on_when_it_is_given_back(
    guarded: GuardedKafka, domain: str
) -> None:
    lost = rights(domain, [(STREAM, "Read")])
    with (
        guarded.allowed("reader", rights(domain, READER)),
        connected(guarded, "car", domain) as writer,
        connected(guarded, "reader", domain) as client,
    ):
        session = writer.create_session(SOURCE, identifier="FP2")
        session.stream("Chassis").packet("Note", b"before")
        assert session.flush()
        with client.read(session.key, streams=["Chassis"]) as reader:
            assert next(packet.content for packet in reader if packet.type == "Note") == b"before"
            guarded.forbid("reader", lost)
            with pytest.raises(telewire.KafkaError, match=rf"right Read on topic '{domain}\.{STREAM}'") as caught:
                read_on(reader, LIMIT_S)
            assert caught.value.code == "denied"
            session.stream("Chassis").packet("Note", b"meanwhile")
            assert session.flush()
            assert STREAM in str(reader.health().last_error)
            guarded.allow("reader", lost)
            session.end()
            found: list[bytes] = []
            wait_until(lambda: rest_of(reader, found), 4 * LIMIT_S, "the end of the session")
            assert found == [b"meanwhile"]


def rest_of(reader: telewire.Reader, found: list[bytes]) -> bool:
    """Takes what there is; what was refused a moment ago may be said once more."""
    with suppress(telewire.KafkaError):
        while batch := reader.fetch(100, 0.5):
            found += [packet.content for packet in batch if packet.type == "Note"]
    return reader.done


# Groups


def read_on(reader: telewire.Reader, seconds: float) -> None:
    """Takes whatever comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reader.fetch(100, 0.5)


def test_a_member_of_a_group_needs_the_right_to_read_as_the_group(guarded: GuardedKafka, domain: str) -> None:
    group = f"g-{domain}"
    with (
        guarded.allowed("member", rights(domain, READER)),
        connected(guarded, "car", domain) as writer,
        connected(guarded, "member", domain) as client,
    ):
        session = writer.create_session(SOURCE, identifier="FP2")
        session.stream("Chassis").packet("Note", b"x")
        assert session.flush()
        with client.read(data_source=SOURCE, mode="live", group_id=group) as reader:
            with pytest.raises(telewire.KafkaError, match=rf"right Read on group '{group}'") as caught:
                reader.next(LIMIT_S)
            assert (caught.value.code, caught.value.kafka_code) == ("denied", "GROUP_AUTHORIZATION_FAILED")
        with (
            guarded.allowed("member", [("group", group, "Read")]),
            client.read(data_source=SOURCE, mode="live", group_id=group) as reader,
        ):
            found: list[bytes] = []

            def came() -> bool:
                found.extend(p.content for p in reader.fetch(100, 0.5) or () if p.type == "Note")
                return found == [b"x"]

            wait_until(came, 20, "the packet")


@pytest.mark.parametrize("left", ["", "Describe"], ids=["hidden", "visible"])
def test_a_member_of_a_group_without_the_right_to_a_topic_is_told_which_one(
    guarded: GuardedKafka, domain: str, left: str
) -> None:
    role = without(READER, (STREAM, "Read")) + (((STREAM, left),) if left else ())
    group: list[Right] = [("group", "*", "Read")]
    with (
        guarded.allowed("member", rights(domain, role) + group),
        connected(guarded, "car", domain) as writer,
        connected(guarded, "member", domain) as client,
    ):
        session = writer.create_session(SOURCE, identifier="FP2")
        session.stream("Chassis").packet("Note", b"x")
        assert session.flush()
        with (
            client.read(data_source=SOURCE, mode="live", group_id=f"g-{domain}", streams=["Chassis"]) as reader,
            pytest.raises(telewire.KafkaError, match=rf"right Read on topic '{domain}\.{STREAM}'"),
        ):
            read_on(reader, 3 * LIMIT_S)
