"""Where the brokers are and how the library uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Protocol, TypeAlias, overload

from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check
from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
    KafkaSecurityConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.partition_mapping import PartitionMapping
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy

__all__ = ["StreamingApiConfiguration"]

DEFAULT_BROKER: Final = "localhost:9092"
_PYTHON_ORDER: Final = ("broker_list", "stream_creation_strategy", "additional_properties", "timeout_seconds")
_CSHARP_ORDER: Final = ("stream_creation_strategy", "broker_list", "partition_mappings")
_SECRETS: Final = ("password", "secret", "token", "ssl.key.pem", "oauthbearer.config", "sasl.jaas")


class _Mapped(Protocol):
    """Any object that names a stream and its partition."""

    @property
    def stream(self) -> str: ...
    @property
    def partition(self) -> int: ...


_Mapping: TypeAlias = PartitionMapping | tuple[str, int] | _Mapped
_Properties: TypeAlias = Sequence[str | tuple[str, str] | _Mapping] | Mapping[str, str | float]


@dataclass(init=False, repr=False, slots=True)
class StreamingApiConfiguration:
    """The configuration of the library. Read-only but for `security`.

    Documented argument orders are all understood: ``(broker_list, stream_creation_strategy, additional_properties,
    timeout_seconds)``, keywords of any generation, and, if the first argument is a `StreamCreationStrategy`, C#'s
    ``(stream_creation_strategy, broker_list, partition_mappings)``. None means the default.

    Attributes:
        broker_list: ``host:port,host:port``; ``embedded://`` for a broker inside this process.
        stream_creation_strategy: How streams are laid out in Kafka.
        additional_properties: librdkafka properties by name, and those that begin with ``telewire.``
            (``telewire.layout``: ``auto``, ``classic`` or ``domain``; ``telewire.named_stream_form``: ``A`` or ``B``).
        timeout_seconds: Limit for connecting, and for every request that waits for an answer, those of `start` too.
        partition_mappings: Partition of each named stream, for ``PARTITION_BASE``.
        stream_api_port: Stored, not used: there is no embedded gRPC server.
        integrate_session_management: Whether session management is available.
        integrate_data_format_management: Whether data format management is available.
        use_remote_key_generator: Stored, not used: keys are made here.
        remote_key_generator_service_address: Stored, not used.
        batching_responses: Stored, not used.
        initialisation_timeout_seconds: Stored, not used: `timeout_seconds` is the limit. 3 by default,
            `timeout_seconds` if only that is given; values up to 1 mean 3.
        termination_timeout_seconds: Limit for flushing and draining in `stop` and at the interpreter's exit.
        domain: Prefix of every topic.
        batching_sizes_kb: Stored, not used.
        batching_time_ms: Stored, not used.
        enable_grpc_reflection: Stored, not used.
        kafka_broker_publishing_config_file_path: JSON file with librdkafka properties of producers; without it
            ``kafka-publisher-broker.json``.
        kafka_broker_consuming_config_file_path: The same for consumers; without it ``kafka-consumer-broker.json``.
        kafka_broker_config_whitelist_file_path: JSON file that says which properties those files may set; without it
            ``kafka-broker-whitelist.json``.
        security: Credentials and certificates; may be set until the library is initialised.
        enable_router_publish_metrics: Stored, not used: what is written is always counted.
        enable_router_consume_metrics: Whether readers count messages and bytes by session in the metrics, too.
    """

    broker_list: str = DEFAULT_BROKER
    stream_creation_strategy: StreamCreationStrategy = StreamCreationStrategy.TOPIC_BASE
    additional_properties: dict[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10
    partition_mappings: list[PartitionMapping] = field(default_factory=list)
    stream_api_port: int = 13579
    integrate_session_management: bool = True
    integrate_data_format_management: bool = True
    use_remote_key_generator: bool = False
    remote_key_generator_service_address: str = ""
    batching_responses: bool = False
    initialisation_timeout_seconds: float = 3
    termination_timeout_seconds: float = 1
    domain: str = ""
    batching_sizes_kb: int | None = None
    batching_time_ms: int | None = None
    enable_grpc_reflection: bool = False
    kafka_broker_publishing_config_file_path: str = "kafka-publisher-broker.json"
    kafka_broker_consuming_config_file_path: str = "kafka-consumer-broker.json"
    kafka_broker_config_whitelist_file_path: str = "kafka-broker-whitelist.json"
    security: KafkaSecurityConfiguration | None = None
    enable_router_publish_metrics: bool = False
    enable_router_consume_metrics: bool = False

    @overload
    def __init__(
        self,
        broker_list: str | None = None,
        stream_creation_strategy: StreamCreationStrategy | None = None,
        additional_properties: _Properties | None = None,
        timeout_seconds: float | None = None,
        *,
        broker_url: str | None = None,
        partition_mappings: Sequence[_Mapping] | None = None,
        stream_api_port: int | None = None,
        integrate_session_management: bool | None = None,
        integrate_data_format_management: bool | None = None,
        use_remote_key_generator: bool | None = None,
        remote_key_generator_service_address: str | None = None,
        batching_responses: bool | None = None,
        initialisation_timeout_seconds: float | None = None,
        termination_timeout_seconds: float | None = None,
        domain: str | None = None,
        batching_sizes_kb: int | None = None,
        batching_time_ms: int | None = None,
        enable_grpc_reflection: bool | None = None,
        kafka_broker_publishing_config_file_path: str | None = None,
        kafka_broker_consuming_config_file_path: str | None = None,
        kafka_broker_config_whitelist_file_path: str | None = None,
        security: KafkaSecurityConfiguration | None = None,
        enable_router_publish_metrics: bool | None = None,
        enable_router_consume_metrics: bool | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        stream_creation_strategy: StreamCreationStrategy,
        broker_list: str | None = None,
        partition_mappings: Sequence[_Mapping] | None = None,
        *,
        additional_properties: _Properties | None = None,
        timeout_seconds: float | None = None,
        broker_url: str | None = None,
        stream_api_port: int | None = None,
        integrate_session_management: bool | None = None,
        integrate_data_format_management: bool | None = None,
        use_remote_key_generator: bool | None = None,
        remote_key_generator_service_address: str | None = None,
        batching_responses: bool | None = None,
        initialisation_timeout_seconds: float | None = None,
        termination_timeout_seconds: float | None = None,
        domain: str | None = None,
        batching_sizes_kb: int | None = None,
        batching_time_ms: int | None = None,
        enable_grpc_reflection: bool | None = None,
        kafka_broker_publishing_config_file_path: str | None = None,
        kafka_broker_consuming_config_file_path: str | None = None,
        kafka_broker_config_whitelist_file_path: str | None = None,
        security: KafkaSecurityConfiguration | None = None,
        enable_router_publish_metrics: bool | None = None,
        enable_router_consume_metrics: bool | None = None,
    ) -> None: ...

    def __init__(self, *arguments: object, **keywords: object) -> None:
        """Check and keep the settings.

        Raises:
            TypeError: An argument of another type, or of an unknown name.
            ValueError: A value out of bounds, or `broker_list` and `broker_url` given and different.
        """
        csharp = bool(arguments) and isinstance(arguments[0], StreamCreationStrategy)
        given = check.bound(
            "StreamingApiConfiguration",
            _CSHARP_ORDER if csharp else _PYTHON_ORDER,
            [*(setting.name for setting in fields(self)), "broker_url"],
            arguments,
            keywords,
        )
        values: dict[str, object] = {
            "broker_list": _broker(given.pop("broker_list", None), given.pop("broker_url", None))
        }
        values["additional_properties"], values["partition_mappings"] = _properties_and_mappings(
            given.pop("additional_properties", ()), given.pop("partition_mappings", ())
        )
        if "timeout_seconds" in given and "initialisation_timeout_seconds" not in given:
            values["initialisation_timeout_seconds"] = given["timeout_seconds"]
        values |= {name: _CHECKS[name](name, value) for name, value in given.items()}
        for setting in fields(self):
            default = None if setting.name in values else setting.default
            object.__setattr__(self, setting.name, values.get(setting.name, default))

    @property
    def broker_url(self) -> str:
        """The same as `broker_list`."""
        return self.broker_list

    def __setattr__(self, name: str, value: object) -> None:
        if name != "security":
            raise AttributeError(f"{name} of a StreamingApiConfiguration cannot be changed; make a new one")
        object.__setattr__(self, name, None if value is None else _security(name, value))

    def __setstate__(self, state: tuple[None, dict[str, object]]) -> None:
        # Copies and pickles are filled without `__init__`.
        for name, value in state[1].items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = []
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.name == "additional_properties":
                value = {key: "***" if any(s in key.lower() for s in _SECRETS) else v for key, v in value.items()}
            shown.append(f"{setting.name}={value!r}")
        return f"StreamingApiConfiguration({', '.join(shown)})"


def _broker(broker_list: object, broker_url: object) -> str:
    named = {
        name: check.text(name, v)
        for name, v in (("broker_list", broker_list), ("broker_url", broker_url))
        if v is not None
    }
    if len(set(named.values())) > 1:
        raise ValueError(f"broker_list '{broker_list}' and broker_url '{broker_url}' name the same thing; give one")
    for name, value in named.items():
        if not value.strip():
            raise ValueError(f"{name} is empty; give 'host:port', 'host:port,host:port' or 'embedded://'")
        return value
    return DEFAULT_BROKER


def _properties_and_mappings(additional: object, mappings: object) -> tuple[dict[str, str], list[PartitionMapping]]:
    """What is meant by `additional_properties`, which held different things in different generations, and the rest."""
    properties: dict[str, str] = {}
    partitions: dict[str, PartitionMapping] = {}

    def take(mapping: PartitionMapping) -> None:
        if partitions.setdefault(mapping.stream, mapping) != mapping:
            raise ValueError(
                f"stream '{mapping.stream}' is mapped to partition {partitions[mapping.stream].partition} and to "
                f"partition {mapping.partition}; give one"
            )

    for entry in _entries("partition_mappings", mappings):
        if (mapping := _mapping(entry)) is None:
            raise TypeError(f"partition_mappings takes PartitionMapping or (stream, partition), not {_shown(entry)}")
        take(mapping)
    if isinstance(additional, Mapping):
        additional = [(name, _property(name, value)) for name, value in additional.items()]
    for entry in _entries("additional_properties", additional):
        if (mapping := _mapping(entry)) is not None:
            take(mapping)
        elif (pair := _pair(entry)) is not None:
            properties[pair[0]] = pair[1]
        else:
            raise TypeError(
                "additional_properties takes 'name=value', (name, value), PartitionMapping or (stream, partition), "
                f"not {_shown(entry)}"
            )
    return properties, list(partitions.values())


def _entries(name: str, given: object) -> Iterable[object]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a list, not {type(given).__name__}")
    return given


def _mapping(entry: object) -> PartitionMapping | None:
    match entry:
        case PartitionMapping():
            return entry
        case (str() as stream, int() as partition) if not isinstance(partition, bool):
            return PartitionMapping(stream, partition)
        case _ if hasattr(entry, "stream") and hasattr(entry, "partition"):
            return PartitionMapping(entry.stream, entry.partition)
    return None


def _pair(entry: object) -> tuple[str, str] | None:
    match entry:
        case str() if "=" in entry:
            name, _, value = entry.partition("=")
        case (str() as name, str() as value):
            pass
        case _:
            return None
    return (name.strip(), value.strip()) if name.strip() else None


def _property(name: object, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError(f"property '{name}' must be a str or a number, not {type(value).__name__}")
    return str(value)


def _shown(entry: object) -> str:
    # Not its value: it may be a misspelt password.
    return f"{type(entry).__name__} without '='" if isinstance(entry, str) else type(entry).__name__


def _security(name: str, value: object) -> KafkaSecurityConfiguration:
    if not isinstance(value, KafkaSecurityConfiguration):
        raise TypeError(f"{name} must be a KafkaSecurityConfiguration or None, not {type(value).__name__}")
    return value


def _strategy(name: str, value: object) -> StreamCreationStrategy:
    return check.member(name, value, StreamCreationStrategy)


def _timeout(name: str, value: object) -> float:
    seconds = check.number(name, value)
    if seconds == 0:
        raise ValueError(f"{name} must be more than 0 seconds")
    return seconds


def _initialisation(name: str, value: object) -> float:
    seconds = check.number(name, value, least=float("-inf"))
    return 3 if seconds <= 1 else seconds


def _size(name: str, value: object) -> int:
    return check.whole(name, value, 0)


def _port(name: str, value: object) -> int:
    return check.whole(name, value, 0, 65535)


def _path(name: str, value: object) -> str:
    return check.text(name, value) or str(StreamingApiConfiguration.__dataclass_fields__[name].default)


_CHECKS: Final[dict[str, Any]] = {
    "stream_creation_strategy": _strategy,
    "timeout_seconds": _timeout,
    "stream_api_port": _port,
    "integrate_session_management": check.boolean,
    "integrate_data_format_management": check.boolean,
    "use_remote_key_generator": check.boolean,
    "remote_key_generator_service_address": check.text,
    "batching_responses": check.boolean,
    "initialisation_timeout_seconds": _initialisation,
    "termination_timeout_seconds": check.number,
    "domain": check.text,
    "batching_sizes_kb": _size,
    "batching_time_ms": _size,
    "enable_grpc_reflection": check.boolean,
    "kafka_broker_publishing_config_file_path": _path,
    "kafka_broker_consuming_config_file_path": _path,
    "kafka_broker_config_whitelist_file_path": _path,
    "security": _security,
    "enable_router_publish_metrics": check.boolean,
    "enable_router_consume_metrics": check.boolean,
}
