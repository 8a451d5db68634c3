"""Apache Kafka with every lock that tests need: one broker, a listener for each way in, and access control.

| Listener | Who gets in |
|---|---|
| `plain` | everybody, as the super user of the tests |
| `tls` | whoever trusts our authority |
| `mutual` | the same, with a certificate of our own authority for clients |
| `expired`, `early`, `elsewhere`, `itself` | nobody who looks at the broker's certificate |
| `sasl` | users with a password, in the clear: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 |
| `scram` | the same, SCRAM-SHA-512 only |
| `sasl_tls` | users with a password, over TLS |

Rights of users are given and taken with [GuardedKafka.allow][]; whoever has none may nothing.
"""

import re
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from certificates import Authority, Issued
from kafka_cluster import KafkaCluster, kafka_cluster

PASSWORD = "correct-horse-5f1d"
"""Of every user."""
USERS = ("car", "writer", "reader", "member")
"""Who may log in. `car` may do everything; the others what a test allows them."""

_TLS = ("tls", "mutual", "expired", "early", "elsewhere", "itself")
_SASL = ("sasl", "scram", "sasl_tls")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_DAY = timedelta(days=1)

Right = tuple[str, str, str]
"""`("topic", name, "Write")`: kind of resource, its name (a prefix, if it ends in `*`), operation."""


@dataclass(frozen=True)
class GuardedKafka:
    """The broker, its certificates, and the rights of its users."""

    cluster: KafkaCluster
    addresses: dict[str, str]
    """`host:port` of each listener."""
    authority: Authority
    """Signed the brokers' certificates."""
    other_authority: Authority
    """Signed none of them."""
    client: Issued
    """A client's certificate that `mutual` accepts."""
    stranger: Issued
    """One of another authority."""
    admin: AdminClient = field(repr=False)

    @property
    def ca(self) -> str:
        """File of the authority to trust."""
        return str(self.authority.certificate)

    def security(self, listener: str, mechanism: str = "PLAIN", user: str = "car") -> dict[str, str]:
        """What `telewire.connect(security=…)` needs for a listener."""
        match listener:
            case "plain":
                return {}
            case "tls" | "expired" | "early" | "elsewhere" | "itself":
                return {"protocol": "ssl", "ssl_ca_location": self.ca}
            case "mutual":
                return {
                    "protocol": "ssl",
                    "ssl_ca_location": self.ca,
                    "ssl_certificate_location": str(self.client.certificate),
                    "ssl_key_location": str(self.client.key),
                }
        given = {"mechanism": mechanism, "sasl_username": user, "sasl_password": PASSWORD}
        if listener == "sasl_tls":
            return {"protocol": "sasl_ssl", "ssl_ca_location": self.ca, **given}
        return {"protocol": "sasl_plaintext", **given}

    @contextmanager
    def allowed(self, user: str, rights: Sequence[Right]) -> Iterator[None]:
        """Rights of a user for as long as the block runs."""
        try:
            self.allow(user, rights)
            yield
        finally:
            self.forbid(user, rights)

    def allow(self, user: str, rights: Sequence[Right]) -> None:
        """Give a user rights; they hold when the call returns."""
        bindings = [_binding(user, right) for right in rights]
        for future in self.admin.create_acls(bindings).values():
            future.result(10)
        self._settle(bindings, there=True)

    def forbid(self, user: str, rights: Sequence[Right]) -> None:
        """Take them away again."""
        bindings = [_binding(user, right) for right in rights]
        for future in self.admin.delete_acls([_filter(binding) for binding in bindings]).values():
            future.result(10)
        self._settle(bindings, there=False)

    def alter_topic(self, topic: str, setting: str, value: str) -> None:
        """Change one setting of a topic."""
        entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(10)

    def _settle(self, bindings: Sequence[AclBinding], *, there: bool) -> None:
        """The broker learns of rights a moment after they are recorded."""
        deadline = time.monotonic() + 60
        for binding in bindings:
            while bool(self.admin.describe_acls(_filter(binding)).result(10)) is not there:
                assert time.monotonic() < deadline, f"{binding} was not taken over by the broker"
                time.sleep(0.01)


def _binding(user: str, right: Right) -> AclBinding:
    kind, name, operation = right
    prefix = name.endswith("*") and name != "*"
    pattern = ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL
    resource = ResourceType.BROKER if kind == "cluster" else ResourceType[kind.upper()]
    name = "kafka-cluster" if kind == "cluster" else name.removesuffix("*") or name
    operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()
    return AclBinding(resource, name, pattern, f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW)


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


@contextmanager
def guarded_kafka(folder: Path) -> Iterator[GuardedKafka]:
    """Start the broker and end it with the block.

    Args:
        folder: Where certificates are kept.

    Raises:
        RuntimeError: When it cannot be started; with Kafka's own last words.
    """
    authority, clients = Authority(folder, "brokers"), Authority(folder, "clients")
    other = Authority(folder, "others")
    brokers = {
        "tls": authority.issue("broker"),
        "mutual": authority.issue("broker-mutual"),
        "sasl_tls": authority.issue("broker-sasl"),
        "expired": authority.issue("expired", begins=-9 * _DAY, ends=-2 * _DAY),
        "early": authority.issue("early", begins=2 * _DAY, ends=9 * _DAY),
        "elsewhere": authority.issue("elsewhere", names=("kafka.example",)),
        "itself": authority.issue("itself", signs_itself=True),
    }
    with ExitStack() as stack:
        for attempt in range(3):
            ports = dict(
                zip(("plain", "controller", *_TLS, *_SASL), _free_ports(2 + len(_TLS) + len(_SASL)), strict=True)
            )
            settings = _settings(ports, brokers, clients.certificate)
            try:
                cluster = stack.enter_context(kafka_cluster(settings, port=ports["plain"]))
                break
            except RuntimeError as error:
                # Another process was faster to one of the ports.
                if attempt == 2 or "Address already in use" not in str(error):
                    raise
        addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items() if name != "controller"}
        admin = AdminClient({"bootstrap.servers": addresses["plain"]})
        _make_users(admin)
        made = GuardedKafka(
            cluster, addresses, authority, other, clients.issue("client"), other.issue("stranger"), admin
        )
        made.allow("car", [("topic", "*", "All"), ("group", "*", "All"), ("cluster", "*", "All")])
        yield made


def _make_users(admin: AdminClient) -> None:
    # Kafka takes one mechanism of a user in each request.
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        kind = ScramCredentialInfo(mechanism, 4096)
        changes: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, kind, PASSWORD.encode()) for user in USERS
        ]
        for future in admin.alter_user_scram_credentials(changes).values():
            future.result(10)


def _settings(ports: dict[str, int], brokers: dict[str, Issued], clients: Path) -> dict[str, str]:
    protocols = {"plain": "PLAINTEXT", "controller": "PLAINTEXT"} | dict.fromkeys(_TLS, "SSL")
    protocols |= {"sasl": "SASL_PLAINTEXT", "scram": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL"}
    # The names that scripts/kafka.py gives the first two.
    name = {"plain": "PLAINTEXT", "controller": "CONTROLLER"}
    listeners = ",".join(f"{name.get(key, key.upper())}://127.0.0.1:{port}" for key, port in ports.items())
    settings = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": ",".join(f"{name.get(k, k.upper())}:{p}" for k, p in protocols.items()),
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['controller']}",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:CN=client",
    }
    for key, issued in brokers.items():
        prefix = f"listener.name.{key}.ssl."
        settings |= {prefix + "keystore.type": "PEM", prefix + "keystore.location": str(issued.both)}
    settings |= {
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.truststore.type": "PEM",
        "listener.name.mutual.ssl.truststore.location": str(clients),
    }
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    for key in _SASL:
        mechanisms = ("SCRAM-SHA-512",) if key == "scram" else _MECHANISMS
        prefix = f"listener.name.{key}."
        settings[prefix + "sasl.enabled.mechanisms"] = ",".join(mechanisms)
        for mechanism in mechanisms:
            plain = mechanism == "PLAIN"
            module = "plain.PlainLoginModule" if plain else "scram.ScramLoginModule"
            login = f"org.apache.kafka.common.security.{module} required {users if plain else ''};"
            settings[prefix + f"{mechanism.lower()}.sasl.jaas.config"] = login
    return settings


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def new_domain() -> str:
    """A domain that nothing else uses."""
    return f"Test{uuid.uuid4().hex[:12]}"
