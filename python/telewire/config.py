"""Where a client's settings come from: arguments, then the environment, then a TOML file, then the defaults.

A later source never erases an earlier one; tables (`security`, `producer`, `consumer`, `kafka`,
`partition_mappings`) are joined entry by entry. Secrets are masked wherever settings are shown.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from telewire.errors import ConfigError

__all__ = ["Config", "Security"]

# Nobody writes so much by hand; a device or somebody else's file does not fill the memory.
_LARGEST_FILE: Final = 1 << 20
_HIGHEST_PARTITION: Final = 9_999
DEFAULT_BROKERS: Final = "localhost:9092"
_PREFIX: Final = "TELEWIRE_"
_SECRET: Final = re.compile(r"password|secret|token|ssl\.key\.pem|oauthbearer\.config|sasl\.jaas", re.IGNORECASE)
_TABLES: Final = ("security", "producer", "consumer", "kafka", "partition_mappings")
_DURATIONS: Final = ("timeout_s", "connect_timeout_s", "quiet_s", "statistics_s")
# Variables of the same prefix that are not settings of a client.
_OTHER_VARIABLES: Final = {"TELEWIRE_CONFIG", "TELEWIRE_LOG"}


def masked(properties: Mapping[str, str]) -> dict[str, str]:
    """The same properties with every secret value replaced by stars."""
    return {name: "***" if value and _SECRET.search(name) else value for name, value in properties.items()}


@dataclass(frozen=True, slots=True)
class Security:
    """How to prove who we are, and how to know the broker.

    A user name and a password alone mean SASL_PLAINTEXT with mechanism PLAIN. Every other active setting needs a
    `protocol`; it is never guessed.

    Attributes:
        protocol: ``plaintext``, ``ssl``, ``sasl_plaintext`` or ``sasl_ssl``, in any case.
        mechanism: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``.
        sasl_username: User of SASL.
        sasl_password: Password of SASL; never shown.
        ssl_ca_location: PEM file of the authority that signed the broker's certificate.
        ssl_certificate_location: PEM file of our own certificate.
        ssl_key_location: PEM file of our own key.
        ssl_key_password: Password of that file; never shown.
    """

    protocol: str | None = None
    mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        shown = masked(self.as_dict())
        return f"Security({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def as_dict(self) -> dict[str, str]:
        """The settings that are given, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name))}

    @classmethod
    def of(cls, given: Security | Mapping[str, str | None] | None) -> Security:
        """A `Security` from a mapping; unknown names are refused with the nearest known one."""
        if given is None:
            return cls()
        if isinstance(given, Security):
            return given
        if not isinstance(given, Mapping):
            raise ConfigError(f"security must be a telewire.Security or a mapping, not {type(given).__name__}")
        known = {f.name for f in fields(cls)}
        _refuse_unknown("security setting", given, known)
        return cls(**{name: None if value is None else str(value) for name, value in given.items()})


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a client can be told. `Config.load` builds one from all sources.

    Attributes:
        brokers: ``host:port,host:port``, ``embedded://`` or ``embedded:///some/folder``.
        domain: Prefix of every topic in the domain layout; empty for none.
        layout: ``auto``, ``classic`` or ``domain``.
        named_stream_form: ``A`` or ``B``, the two documented topic names of named streams in the domain layout.
        strategy: ``topic`` (one topic per stream) or ``partition`` (one partition per stream).
        partition_mappings: Partition of each named stream, for strategy ``partition``.
        security: Credentials and certificates.
        kafka: librdkafka properties for producers and consumers.
        producer: librdkafka properties for producers only.
        consumer: librdkafka properties for consumers only.
        timeout_s: Limit in seconds for connecting and for every request that waits for an answer.
        connect_timeout_s: Limit in seconds for connecting alone; None for `timeout_s`.
        quiet_s: How long in seconds to wait after the last packet is delivered before a session's end is recorded.
        on_outage: What happens to packets that could not be delivered for `message.timeout.ms`: ``fail`` reports
            them with their payload, ``wait`` goes on trying.
        statistics_s: How often in seconds librdkafka tells its statistics, for `Client.statistics` and the count of
            retried requests in `Client.health`; 0 for never.
    """

    brokers: str = DEFAULT_BROKERS
    domain: str = ""
    layout: Literal["auto", "classic", "domain"] = "auto"
    named_stream_form: Literal["A", "B"] | None = None
    strategy: Literal["topic", "partition"] = "topic"
    partition_mappings: Mapping[str, int] = field(default_factory=dict)
    security: Security = field(default_factory=Security)
    kafka: Mapping[str, str] = field(default_factory=dict)
    producer: Mapping[str, str] = field(default_factory=dict)
    consumer: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    connect_timeout_s: float | None = None
    quiet_s: float = 0.0
    on_outage: Literal["fail", "wait"] = "fail"
    statistics_s: float = 5.0

    def __post_init__(self) -> None:
        """Check every value, so that a mistake is named where it was made."""
        if not self.brokers.strip():
            raise ConfigError("brokers is empty; give 'host:port', 'host:port,host:port' or 'embedded://'")
        _one_of("layout", self.layout, ("auto", "classic", "domain"))
        _one_of("strategy", self.strategy, ("topic", "partition"))
        _one_of("on_outage", self.on_outage, ("fail", "wait"))
        if self.named_stream_form is not None:
            _one_of("named_stream_form", self.named_stream_form, ("A", "B"))
        if not 0 < self.timeout_s < float("inf"):
            raise ConfigError(f"timeout_s must be a positive number of seconds, not {self.timeout_s!r}")
        if self.connect_timeout_s is not None and not 0 < self.connect_timeout_s < float("inf"):
            raise ConfigError(f"connect_timeout_s must be a positive number of seconds, not {self.connect_timeout_s!r}")
        if not 0 <= self.quiet_s < float("inf"):
            raise ConfigError(f"quiet_s must be a number of seconds from 0, not {self.quiet_s!r}")
        if not (self.statistics_s == 0 or 0.1 <= self.statistics_s <= 86_400):
            raise ConfigError(f"statistics_s must be 0, or seconds from 0.1 to 86400, not {self.statistics_s!r}")
        for stream, partition in self.partition_mappings.items():
            if type(partition) is not int or not 0 <= partition <= _HIGHEST_PARTITION:
                raise ConfigError(
                    f"partition mapping of stream {stream!r} must be a partition number from 0 "
                    f"to {_HIGHEST_PARTITION}, not {partition!r}"
                )

    def __repr__(self) -> str:
        parts = []
        for f in fields(self):
            value = getattr(self, f.name)
            parts.append(f"{f.name}={masked(value) if f.name in ('kafka', 'producer', 'consumer') else value!r}")
        return f"Config({', '.join(parts)})"

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        **arguments: object,
    ) -> Config:
        """Join all sources: `arguments` over the environment over a TOML file over the defaults.

        Args:
            path: TOML file. Without it, the file named by ``TELEWIRE_CONFIG``, else ``./telewire.toml`` if there is
                one.
            environment: Variables to look at instead of `os.environ`.
            **arguments: Settings by name; ``None`` means "not given".

        Raises:
            ConfigError: An unknown name (with the nearest known one), a value of the wrong kind, or a file that
                cannot be read.
        """
        variables = os.environ if environment is None else environment
        settings = _from_file(path, variables)
        _join(settings, _from_environment(variables))
        given: dict[str, object] = {name: value for name, value in arguments.items() if value is not None}
        if isinstance(security := given.get("security"), Security):
            given["security"] = security.as_dict()
        _join(settings, given)
        return cls.from_mapping(settings)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Config:
        """Settings by name, with text, numbers and tables as TOML has them."""
        _refuse_unknown("setting", settings, {f.name for f in fields(cls)})
        values = dict(settings)
        for name in _TABLES:
            if name in values and not isinstance(values[name], Mapping | Security):
                raise ConfigError(f"{name} must be a table of names and values, not {type(values[name]).__name__}")
        for name in ("kafka", "producer", "consumer"):
            if name in values:
                values[name] = {str(key): _property(value) for key, value in values[name].items()}
        if "partition_mappings" in values:
            values["partition_mappings"] = dict(values["partition_mappings"])
        values["security"] = Security.of(values.get("security"))
        for name in _DURATIONS:
            if values.get(name) is not None:
                values[name] = _seconds(name, values[name])
        for name in ("brokers", "domain", "layout", "strategy", "on_outage"):
            if name in values and not isinstance(values[name], str):
                raise ConfigError(f"{name} must be text, not {values[name]!r}")
        return cls(**values)

    def with_brokers(self, brokers: str) -> Config:
        """The same settings for other brokers."""
        return replace(self, brokers=brokers)


def _property(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _seconds(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name} must be a number of seconds, not {value!r}") from None


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _refuse_unknown(what: str, given: Mapping[str, object], known: set[str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(sorted(known))}"
            raise ConfigError(f"unknown {what} '{name}'{hint}", code="config")


def _join(settings: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        if name in _TABLES and isinstance(value, Mapping) and isinstance(settings.get(name), Mapping):
            settings[name] = {**settings[name], **value}
        else:
            settings[name] = value


def _from_file(path: str | os.PathLike[str] | None, variables: Mapping[str, str]) -> dict[str, Any]:
    named = path if path is not None else variables.get("TELEWIRE_CONFIG") or None
    if named is None:
        file = Path("telewire.toml")
        if not file.is_file():
            return {}
    else:
        file = Path(named)
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise ConfigError(
                f"configuration file '{file}' has more than {_LARGEST_FILE:,} bytes; is it the right file?",
                code="config",
            )
        settings = tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(f"configuration file '{file}' cannot be read: {error.strerror}", code="config") from error
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, no UTF-8, an endless number, a NUL in the name
        raise ConfigError(f"configuration file '{file}' is not valid TOML: {error}", code="config") from error
    try:
        Config.from_mapping(settings)
    except ConfigError as error:
        raise ConfigError(f"configuration file '{file}': {error}", code="config") from error
    return settings


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """Settings from variables such as TELEWIRE_BROKER and TELEWIRE_SECURITY__SASL_USERNAME."""
    settings: dict[str, Any] = {}
    known = {"brokers" if f.name == "brokers" else f.name for f in fields(Config)}
    for variable, value in variables.items():
        if not variable.startswith(_PREFIX) or variable in _OTHER_VARIABLES or not value:
            continue
        name, _, entry = variable.removeprefix(_PREFIX).partition("__")
        name = name.lower()
        if name in ("broker", "brokers"):
            settings["brokers"] = value
        elif name == "security" and entry:
            settings.setdefault("security", {})[entry.lower()] = value
        elif name in ("kafka", "producer", "consumer") and entry:
            # A variable's name cannot hold dots: LINGER_MS stands for linger.ms.
            settings.setdefault(name, {})[entry.lower().replace("_", ".")] = value
        elif name == "partition_mappings":
            settings[name] = _mappings(variable, value)
        elif name in _DURATIONS:
            settings[name] = _seconds(variable, value)
        elif name in known and name not in _TABLES:
            settings[name] = value
    return settings


def _mappings(variable: str, value: str) -> dict[str, int]:
    mappings: dict[str, int] = {}
    for part in value.split(","):
        stream, separator, partition = part.strip().rpartition("=")
        if not separator or not stream or not re.fullmatch("[0-9]{1,9}", partition):
            raise ConfigError(f"{variable} must look like 'Chassis=1,Engine=2', not {value!r}", code="config")
        mappings[stream] = int(partition)
    return mappings
