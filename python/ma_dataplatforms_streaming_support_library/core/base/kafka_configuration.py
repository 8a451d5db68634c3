"""From the library's configuration to telewire's: security, override files and their whitelist, properties.

Precedence: telewire's defaults, then what the whitelist lets through of an override file, then the configuration's
`additional_properties`, then what the library itself sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import StreamCreationStrategy
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
        KafkaSecurityConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )

__all__ = ["KafkaConfiguration", "Whitelist", "kafka_configuration", "override_file", "security", "whitelist"]

_PROTOCOLS: Final = {
    "plaintext": "plaintext",
    "ssl": "ssl",
    "saslplaintext": "sasl_plaintext",
    "saslssl": "sasl_ssl",
}
_MECHANISMS: Final = {"plain": "PLAIN", "scramsha256": "SCRAM-SHA-256", "scramsha512": "SCRAM-SHA-512"}
_SSL_FIELDS: Final = ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location", "ssl_key_password")
_LARGEST_FILE: Final = 1 << 20
_OURS: Final = "telewire."
_CHOICES: Final = {"layout": ("auto", "classic", "domain"), "named_stream_form": ("A", "B")}
# What the library sets itself; `metadata.broker.list` is librdkafka's other name of the first.
_NEVER: Final = {"bootstrap.servers", "metadata.broker.list"}
_NEVER_CONSUMER: Final = {*_NEVER, "group.id", "auto.offset.reset"}

Direction = Literal["Publish", "Consume"]


@dataclass(frozen=True, slots=True)
class KafkaConfiguration:
    """What the library's configuration means for telewire.

    Attributes:
        config: Settings of a `telewire.Client`.
        warnings: What the user should know: settings that were replaced, refused by the whitelist, or without effect.
    """

    config: telewire.Config
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Whitelist:
    """Which properties override files may set: per direction, patterns and whether they allow; the first one decides.

    Attributes:
        publish: Rules for producers' properties; without any, everything is allowed.
        consume: Rules for consumers' properties; without any, everything is allowed.
    """

    publish: tuple[tuple[str, bool], ...] = ()
    consume: tuple[tuple[str, bool], ...] = ()

    def allows(self, direction: Direction, name: str) -> bool:
        """Whether a property may be set: as the first matching rule says; with rules but no matching one, it may not.

        In a pattern ``*`` stands for any sequence and ``?`` for one character; case does not matter.
        """
        rules = self.publish if direction == "Publish" else self.consume
        for pattern, allow in rules:
            if _matches(pattern.lower(), name.lower()):
                return allow
        return not rules


def kafka_configuration(configuration: StreamingApiConfiguration) -> KafkaConfiguration:
    """Everything of a configuration that concerns Kafka, for telewire. Reads the override files and the whitelist.

    Raises:
        SupportLibraryError: ``SL-CFG-002``, a file that cannot be parsed; ``SL-CFG-003``, security that cannot be
            used, or a ``telewire.`` property that is unknown or has an unknown value.
    """
    warnings: list[str] = []
    secured, told = security(configuration.security)
    warnings += told
    options, given = _own_properties(configuration.additional_properties)
    for name in sorted(_NEVER_CONSUMER & given.keys()):
        warnings.append(f"property '{name}' of additional_properties has no effect: the library sets it itself")
        del given[name]
    allowed = whitelist(configuration.kafka_broker_config_whitelist_file_path)
    files: dict[str, dict[str, str]] = {}
    for direction, path in (
        ("Publish", configuration.kafka_broker_publishing_config_file_path),
        ("Consume", configuration.kafka_broker_consuming_config_file_path),
    ):
        files[direction], told = _from_file(cast("Direction", direction), path, allowed)
        warnings += told
    partition = configuration.stream_creation_strategy is StreamCreationStrategy.PARTITION_BASE
    try:
        config = telewire.Config(
            brokers=configuration.broker_list,
            domain=configuration.domain,
            strategy="partition" if partition else "topic",
            # The main stream's place is fixed.
            partition_mappings={
                m.stream: m.partition for m in configuration.partition_mappings if partition and m.stream
            },
            security=secured,
            kafka=given,
            # Per direction would win over both: what `additional_properties` says again is left out here.
            producer={name: value for name, value in files["Publish"].items() if name not in given},
            consumer={name: value for name, value in files["Consume"].items() if name not in given},
            timeout_s=configuration.timeout_seconds,
            **cast("dict[str, Any]", options),
        )
    except telewire.ConfigError as error:
        raise SupportLibraryError(str(error), ErrorCode.UNUSABLE_SETTING) from error
    return KafkaConfiguration(config, warnings)


def security(given: KafkaSecurityConfiguration | None) -> tuple[telewire.Security, list[str]]:
    """Security for telewire, and what to warn of.

    It is active if `sasl_username`, `ssl_ca_location` or `ssl_certificate_location` is given. Protocols and mechanisms
    are known with and without underscores and hyphens, in any case. TLS is not guessed: without a known protocol, user
    and password alone mean SASL_PLAINTEXT, and everything else is refused.

    Raises:
        SupportLibraryError: ``SL-CFG-003``: no known protocol, or a SASL protocol without user and password.
    """
    if given is None or not (given.sasl_username or given.ssl_ca_location or given.ssl_certificate_location):
        return telewire.Security(), []
    warnings: list[str] = []
    protocol = _PROTOCOLS.get(_bare(given.protocol))
    if protocol is None:
        named = (
            f"security protocol '{given.protocol}' is not known" if given.protocol else "no security protocol is given"
        )
        alone = given.sasl_username and given.sasl_password and not any(getattr(given, name) for name in _SSL_FIELDS)
        if not alone:
            raise SupportLibraryError(
                f"{named}; say which: Plaintext, Ssl, SaslPlaintext or SaslSsl", ErrorCode.UNUSABLE_SETTING
            )
        protocol = "sasl_plaintext"
        warnings.append(f"{named}; with user and password alone SaslPlaintext is used, which encrypts nothing")
    fields: dict[str, str | None] = {"protocol": protocol}
    if protocol.startswith("sasl"):
        if not (given.sasl_username and given.sasl_password):
            raise SupportLibraryError(
                f"security protocol {given.protocol} needs sasl_username and sasl_password", ErrorCode.UNUSABLE_SETTING
            )
        mechanism = _MECHANISMS.get(_bare(given.mechanism))
        if mechanism is None and given.mechanism:
            warnings.append(f"SASL mechanism '{given.mechanism}' is not known; Plain is used")
        fields["mechanism"] = mechanism or "PLAIN"
        fields |= {"sasl_username": given.sasl_username, "sasl_password": given.sasl_password}
    if protocol.endswith("ssl"):
        fields |= {name: getattr(given, name) or None for name in _SSL_FIELDS}
    return telewire.Security(**fields), warnings


def override_file(path: str) -> dict[str, str]:
    """Librdkafka properties from a JSON file: an object of names and values; nothing if there is no such file.

    Args:
        path: The file, relative to the working directory; ``.json`` is appended where it lacks.

    Raises:
        SupportLibraryError: ``SL-CFG-002``: it cannot be parsed, or a value is neither a text nor a number nor a truth
            value.
    """
    content = _json(path)
    properties = {}
    for name, value in content.items():
        match value:
            case bool():
                properties[name] = "true" if value else "false"
            case str() | int() | float():
                properties[name] = str(value)
            case _:
                raise _malformed(path, f"'{name}' must be a text, not {_kind(value)}")
    return properties


def whitelist(path: str) -> Whitelist:
    """The whitelist from a JSON file; one that allows everything if there is no such file.

    The file has lists ``Publish`` and ``Consume`` of objects ``{"Pattern": "linger.*", "Allow": true}``.

    Raises:
        SupportLibraryError: ``SL-CFG-002``: it cannot be parsed, or is not of this shape.
    """
    content = _folded(_json(path))
    sections = {}
    for section in ("publish", "consume"):
        entries = content.get(section)
        if entries is None:
            entries = []
        if not isinstance(entries, list):
            raise _malformed(path, f"'{section.title()}' must be a list, not {_kind(entries)}")
        rules = []
        for entry in entries:
            rule = _folded(entry) if isinstance(entry, dict) else {}
            pattern, allow = rule.get("pattern"), rule.get("allow")
            if not isinstance(pattern, str) or not isinstance(allow, bool):
                raise _malformed(
                    path, f"every entry of '{section.title()}' needs a text 'Pattern' and a truth value 'Allow'"
                )
            rules.append((pattern, allow))
        sections[section] = tuple(rules)
    return Whitelist(**sections)


def _from_file(direction: Direction, path: str, allowed: Whitelist) -> tuple[dict[str, str], list[str]]:
    taken, warnings = {}, []
    for name, value in override_file(path).items():
        if name.lower() in (_NEVER if direction == "Publish" else _NEVER_CONSUMER):
            warnings.append(f"property '{name}' of '{path}' has no effect: the library sets it itself")
        elif not allowed.allows(direction, name):
            warnings.append(f"property '{name}' of '{path}' has no effect: the whitelist does not allow it")
        else:
            taken[name] = value
    return taken, warnings


def _own_properties(properties: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Telewire's own options, and the rest, which is librdkafka's."""
    options, rest = {}, {}
    for name, value in properties.items():
        if not name.startswith(_OURS):
            rest[name] = value
            continue
        option = name.removeprefix(_OURS)
        if option not in _CHOICES:
            known = ", ".join(f"{_OURS}{known}" for known in _CHOICES)
            raise SupportLibraryError(f"property '{name}' is not known; there are {known}", ErrorCode.UNUSABLE_SETTING)
        if value not in _CHOICES[option]:
            choices = " or ".join(_CHOICES[option])
            raise SupportLibraryError(f"property '{name}' must be {choices}, not '{value}'", ErrorCode.UNUSABLE_SETTING)
        options[option] = value
    return options, rest


def _json(path: str) -> dict[str, Any]:
    file = Path(path if path.lower().endswith(".json") else f"{path}.json")
    try:
        with file.open("rb") as stream:
            read = stream.read(_LARGEST_FILE + 1)
        if len(read) > _LARGEST_FILE:
            raise _malformed(path, f"it has more than {_LARGEST_FILE:,} bytes")
        content = json.loads(read.decode("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _malformed(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise _malformed(path, str(error)) from error
    if not isinstance(content, dict):
        raise _malformed(path, f"it must hold an object of names and values, not {_kind(content)}")
    return content


def _malformed(path: str, reason: str) -> SupportLibraryError:
    return SupportLibraryError(f"cannot parse '{path}': {reason}", ErrorCode.MALFORMED_FILE)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _folded(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in content.items()}


def _bare(name: str | None) -> str:
    return re.sub(r"[\s_-]", "", name or "").lower()


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern of ``*`` and ``?`` is the whole name; no pattern makes the time grow beyond both lengths."""
    at, star, retry = 0, -1, 0
    place = 0
    while place < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, retry = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", name[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            # The last star takes one character more; earlier ones never need to.
            retry += 1
            at, place = star + 1, retry
        else:
            return False
    return not pattern[at:].strip("*")
