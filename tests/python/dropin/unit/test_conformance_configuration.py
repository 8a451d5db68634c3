"""Conformance item 3: every documented order and generation of the configuration classes' arguments."""

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from ma_dataplatforms_streaming_support_library import (
    BufferingConfiguration,
    KafkaSecurityConfiguration,
    LiveReadingType,
    MergeStrategy,
    PacketReadingConfiguration,
    PacketReadingType,
    PartitionMapping,
    StreamCreationStrategy,
    StreamingApiConfiguration,
)

TOPIC, PARTITION = StreamCreationStrategy.TOPIC_BASE, StreamCreationStrategy.PARTITION_BASE


def test_conformance_3_the_api_configuration_takes_the_positional_form_of_2025() -> None:
    made = StreamingApiConfiguration("localhost:9092", TOPIC, [], 10)
    assert (made.broker_list, made.broker_url) == ("localhost:9092", "localhost:9092")
    assert made.stream_creation_strategy is TOPIC
    assert (made.additional_properties, made.partition_mappings) == ({}, [])
    assert (made.timeout_seconds, made.initialisation_timeout_seconds) == (10, 10)


def test_conformance_3_the_api_configuration_takes_the_keywords_of_2025() -> None:
    made = StreamingApiConfiguration(
        broker_list="a:1,b:2",
        stream_creation_strategy=PARTITION,
        additional_properties=["linger.ms=5"],
        timeout_seconds=7,
    )
    assert made.broker_url == "a:1,b:2"
    assert made.stream_creation_strategy is PARTITION
    assert made.additional_properties == {"linger.ms": "5"}
    assert made.timeout_seconds == 7


def test_conformance_3_the_api_configuration_takes_the_keywords_of_2026() -> None:
    security = KafkaSecurityConfiguration(sasl_username="u", sasl_password="p")
    made = StreamingApiConfiguration(
        broker_url="a:1",
        security=security,
        kafka_broker_publishing_config_file_path="p.json",
        kafka_broker_consuming_config_file_path="c.json",
        kafka_broker_config_whitelist_file_path="",
    )
    assert made.broker_list == "a:1"
    assert made.security is security
    assert made.stream_creation_strategy is TOPIC
    assert made.kafka_broker_publishing_config_file_path == "p.json"
    assert made.kafka_broker_consuming_config_file_path == "c.json"
    assert made.kafka_broker_config_whitelist_file_path == "kafka-broker-whitelist.json"


def test_conformance_3_the_api_configuration_takes_the_order_of_csharp() -> None:
    made = StreamingApiConfiguration(
        StreamCreationStrategy.PARTITION_BASED, "localhost:9094", [PartitionMapping("A", 1)]
    )
    assert (made.broker_list, made.stream_creation_strategy) == ("localhost:9094", PARTITION)
    assert made.partition_mappings == [PartitionMapping("A", 1)]
    mixed = StreamingApiConfiguration(TOPIC, broker_list="x:1", timeout_seconds=4)
    assert (mixed.broker_list, mixed.timeout_seconds) == ("x:1", 4)
    with pytest.raises(TypeError, match="at most 3 positional"):
        StreamingApiConfiguration(TOPIC, "x:1", [], 10)  # type: ignore[call-overload]


def test_conformance_3_defaults_of_the_api_configuration() -> None:
    made = StreamingApiConfiguration()
    assert (made.broker_list, made.timeout_seconds, made.initialisation_timeout_seconds) == ("localhost:9092", 10, 3)
    assert (made.termination_timeout_seconds, made.stream_api_port, made.domain) == (1, 13579, "")
    assert made.integrate_session_management
    assert made.integrate_data_format_management
    assert not made.use_remote_key_generator
    assert made.security is None
    assert made.kafka_broker_publishing_config_file_path == "kafka-publisher-broker.json"
    assert made == StreamingApiConfiguration(None, None, None, None)


@pytest.mark.parametrize(("given", "kept"), [(1, 3), (0, 3), (-5, 3), (1.5, 1.5), (2, 2), (30, 30)])
def test_an_initialisation_timeout_up_to_one_means_three(given: float, kept: float) -> None:
    assert StreamingApiConfiguration(initialisation_timeout_seconds=given).initialisation_timeout_seconds == kept
    assert StreamingApiConfiguration("a:1", TOPIC, [], 99, initialisation_timeout_seconds=given).timeout_seconds == 99


@pytest.mark.parametrize(("given", "kept"), [(0.5, 3), (1, 3), (7, 7)])
def test_the_timeout_alone_is_the_initialisation_timeout_by_the_same_rule(given: float, kept: float) -> None:
    configuration = StreamingApiConfiguration(timeout_seconds=given)
    assert (configuration.timeout_seconds, configuration.initialisation_timeout_seconds) == (given, kept)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "told"),
    [
        ((), {"broker_list": "a:1", "broker_url": "b:1"}, ValueError, "give one"),
        ((), {"broker_url": " "}, ValueError, "broker_url is empty"),
        ((), {"strategy": TOPIC}, TypeError, "no parameter 'strategy'"),
        ((), {"brokerList": "a:1"}, TypeError, "no parameter 'brokerList'"),
        (("a:1",), {"broker_list": "a:1"}, TypeError, "twice"),
        (("a:1", "topic"), {}, TypeError, "StreamCreationStrategy"),
        ((5,), {}, TypeError, "broker_list must be a str"),
        (("a:1", TOPIC, [], 0), {}, ValueError, "timeout_seconds"),
        (("a:1", TOPIC, [], True), {}, TypeError, "timeout_seconds"),
        (("a:1", TOPIC, [], float("nan")), {}, ValueError, "timeout_seconds"),
        (("a:1", TOPIC, "linger.ms=5"), {}, TypeError, "must be a list"),
        (("a:1", TOPIC, ["nonsense"]), {}, TypeError, "additional_properties takes"),
        (("a:1", TOPIC, [5]), {}, TypeError, "additional_properties takes"),
        (("a:1", TOPIC, [("A", True)]), {}, TypeError, "additional_properties takes"),
        ((), {"partition_mappings": ["A=1"]}, TypeError, "partition_mappings takes"),
        ((), {"partition_mappings": [("A", 1), ("A", 2)]}, ValueError, "give one"),
        ((), {"partition_mappings": [("A", 0)]}, ValueError, "main stream"),
        ((), {"partition_mappings": [("A", -1)]}, ValueError, "negative"),
        ((), {"stream_api_port": 70000}, ValueError, "from 0 to 65535"),
        ((), {"integrate_session_management": 1}, TypeError, "must be a bool"),
        ((), {"termination_timeout_seconds": -1}, ValueError, "at least 0"),
        ((), {"security": {"sasl_username": "u"}}, TypeError, "KafkaSecurityConfiguration"),
    ],
)
def test_conformance_3_conflicts_and_wrong_values_of_the_api_configuration_raise(
    arguments: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        StreamingApiConfiguration(*arguments, **keywords)


def test_additional_properties_hold_properties_and_partition_mappings_by_what_they_are() -> None:
    mixed: list[Any] = [
        "linger.ms=5",
        "ssl.key.pem=a=b",
        ("acks", "all"),
        ("Chassis", 1),
        PartitionMapping("Engine", 2),
        SimpleNamespace(stream="Tyres", partition=3),
    ]
    made = StreamingApiConfiguration("a:1", PARTITION, mixed)
    assert made.additional_properties == {"linger.ms": "5", "ssl.key.pem": "a=b", "acks": "all"}
    assert [(m.stream, m.partition) for m in made.partition_mappings] == [("Chassis", 1), ("Engine", 2), ("Tyres", 3)]
    table = StreamingApiConfiguration(additional_properties={"linger.ms": 5, "enable.idempotence": False})
    assert table.additional_properties == {"linger.ms": "5", "enable.idempotence": "false"}


def test_the_api_configuration_is_read_only_but_for_security() -> None:
    made = StreamingApiConfiguration()
    with pytest.raises(AttributeError, match="cannot be changed"):
        made.domain = "x"
    made.security = KafkaSecurityConfiguration("u", "p")
    assert made.security.sasl_username == "u"
    with pytest.raises(TypeError, match="KafkaSecurityConfiguration"):
        made.security = "u"  # type: ignore[assignment]
    for twin in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin == made


def test_names_of_the_strategy_in_other_documents_are_aliases() -> None:
    names = StreamCreationStrategy.__members__
    assert {name for name, member in names.items() if member is TOPIC} == {"TOPIC_BASE", "TOPIC_BASED"}
    assert {name for name, member in names.items() if member is PARTITION} == {
        "PARTITION_BASE",
        "PARTITION_BASED",
        "STREAM_BASE",
        "STREAM_BASED",
    }
    assert (TOPIC.name, TOPIC.value, PARTITION.name, PARTITION.value) == ("TOPIC_BASE", 2, "PARTITION_BASE", 1)


def test_conformance_3_the_reading_configuration_takes_the_positional_form_of_2025() -> None:
    made = PacketReadingConfiguration("", 10, False, "Default", "*", PacketReadingType.LIVE, [])
    assert (made.session_key, made.data_source, made.session_identifier_pattern) == ("", "Default", "*")
    assert (made.timeout_seconds, made.inactivity_timeout_seconds, made.inactivity_timeout_given) == (10, 10, True)
    assert not made.raise_exception_on_timeout
    assert (made.reading_type, made.streams) == (PacketReadingType.LIVE, [])


def test_conformance_3_the_reading_configuration_takes_keywords_of_both_generations() -> None:
    old = PacketReadingConfiguration(session_key="k", timeout_seconds=5, raise_exception_on_timeout=True)
    assert (old.session_key, old.inactivity_timeout_seconds, old.raise_exception_on_timeout) == ("k", 5, True)
    new = PacketReadingConfiguration(
        data_source="CarA",
        session_identifier_pattern="Run*",
        reading_type=PacketReadingType.HISTORICAL,
        streams=("A", "B"),
        exclude_main_stream=True,
        inactivity_timeout_seconds=0,
        live_reading_type=LiveReadingType.LEADING_EDGE,
        buffer_length=5,
        group_id="team-1",
        excluded_streams=["C"],
        dispatch_grace_ms=0,
    )
    assert (new.data_source, new.reading_type, new.streams) == ("CarA", PacketReadingType.HISTORIC, ["A", "B"])
    assert (new.inactivity_timeout_seconds, new.inactivity_timeout_given) == (0, True)
    assert (new.live_reading_type, new.buffer_length, new.group_id) == (LiveReadingType.LEADING_EDGE, 5, "team-1")
    assert (new.excluded_streams, new.dispatch_grace_ms, new.exclude_main_stream) == (["C"], 0, True)


def test_conformance_3_the_reading_configuration_takes_the_order_of_csharp() -> None:
    made = PacketReadingConfiguration(
        "CarA", "Run*", PacketReadingType.BOTH, ["A"], True, 12, "key", LiveReadingType.LEADING_EDGE, 7, "g", ["B"]
    )
    assert (made.data_source, made.session_identifier_pattern, made.reading_type) == (
        "CarA",
        "Run*",
        PacketReadingType.BOTH,
    )
    assert (made.streams, made.exclude_main_stream, made.inactivity_timeout_seconds) == (["A"], True, 12)
    assert (made.session_key, made.live_reading_type) == ("key", LiveReadingType.LEADING_EDGE)
    assert (made.buffer_length, made.group_id, made.excluded_streams) == (7, "g", ["B"])


def test_conformance_3_a_single_positional_argument_is_the_session_key() -> None:
    assert PacketReadingConfiguration("k").session_key == "k"
    assert PacketReadingConfiguration("k", data_source="CarA").data_source == "CarA"


def test_conformance_3_none_means_the_default_and_thirty_seconds_are_not_given_by_anybody() -> None:
    made = PacketReadingConfiguration(None, None, None, None, None, None, None, excluded_streams=None, group_id=None)
    assert made == PacketReadingConfiguration()
    assert (made.timeout_seconds, made.inactivity_timeout_given) == (30, False)
    assert PacketReadingConfiguration(timeout_seconds=30).inactivity_timeout_given


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "told"),
    [
        ((), {"timeout_seconds": 5, "inactivity_timeout_seconds": 6}, ValueError, "give one"),
        ((), {"timeout_seconds": -1}, ValueError, "at least 0"),
        ((), {"timeout_seconds": "5"}, TypeError, "must be a number"),
        ((), {"group_id": "a b"}, ValueError, "letters, digits"),
        ((), {"buffer_length": -1}, ValueError, "at least 0"),
        ((), {"buffer_length": 1.5}, TypeError, "must be an int"),
        ((), {"streams": "Chassis"}, TypeError, "list of str"),
        ((), {"streams": [1]}, TypeError, "every entry of streams"),
        ((), {"reading_type": 0}, TypeError, "PacketReadingType"),
        ((), {"pattern": "*"}, TypeError, "no parameter 'pattern'"),
        (("k", 10), {"session_key": "k"}, TypeError, "twice"),
        (("", 10, False, "D", "*", PacketReadingType.LIVE, [], True), {}, TypeError, "at most 7 positional"),
        (("a", "b", PacketReadingType.LIVE, [], "x"), {}, TypeError, "exclude_main_stream must be a bool"),
    ],
)
def test_conformance_3_conflicts_and_wrong_values_of_the_reading_configuration_raise(
    arguments: tuple[Any, ...], keywords: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        PacketReadingConfiguration(*arguments, **keywords)


def test_equal_timeouts_under_both_names_are_no_conflict() -> None:
    assert PacketReadingConfiguration(timeout_seconds=5, inactivity_timeout_seconds=5).timeout_seconds == 5


def test_the_reading_configuration_is_read_only_and_can_be_copied() -> None:
    made = PacketReadingConfiguration("k", streams=["A"])
    with pytest.raises(AttributeError):
        made.session_key = "x"  # type: ignore[misc]
    for twin in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin == made


def test_the_buffering_configuration_has_its_defaults_and_bounds() -> None:
    made = BufferingConfiguration()
    assert (made.subscribed_parameters, made.buffering_window_length, made.sliding_window_percentage) == ([], 3000, 5)
    assert made.merge_strategy is MergeStrategy.READING_MERGE
    included = [made.include_marker_data, made.include_event_data, made.include_error_data, made.include_can_data]
    assert included == [False] * 4
    assert made.allow_wildcard_match
    full = BufferingConfiguration(
        ["p*"], 60_000, 100, MergeStrategy.WRITING_MERGE, True, True, True, True, partition_count=4
    )
    assert (full.include_can_data, full.buffering_window_length, full.partition_count) == (True, 60_000, 4)
    for wrong in (
        {"buffering_window_length": 0},
        {"buffering_window_length": 3_600_001},
        {"sliding_window_percentage": 101},
    ):
        with pytest.raises(ValueError, match="from 1 to"):
            BufferingConfiguration(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="empty"):
        BufferingConfiguration(["a", ""])
    with pytest.raises(TypeError, match="list of str"):
        BufferingConfiguration("vCar")
    with pytest.raises(TypeError, match="MergeStrategy"):
        BufferingConfiguration(merge_strategy=1)  # type: ignore[arg-type]
