"""Security is not only the client's: the drop-in package and the command go through TLS and a login too."""

import json
import os
import subprocess
import sys
from typing import Any

import telewire
from guarded_kafka import PASSWORD, GuardedKafka, new_domain
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_configuration import (
    PacketReadingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.packet_reading.packet_reading_type import PacketReadingType
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.kafka_security_configuration import (
    KafkaSecurityConfiguration,
)
from readings import Seen, eventually, note
from serving import create, failed_with, library_on, started, where

VARIABLE = "TELEWIRE_SECURITY__"


def secured(guarded: GuardedKafka, user: str = "car", password: str = PASSWORD) -> KafkaSecurityConfiguration:
    return KafkaSecurityConfiguration(user, password, "SaslSsl", "ScramSha512", guarded.ca)


def command(guarded: GuardedKafka, domain: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    security = guarded.security("sasl_tls", "SCRAM-SHA-512") | changes
    variables = {VARIABLE + name.upper(): value for name, value in security.items()}
    where = {"TELEWIRE_BROKER": guarded.addresses["sasl_tls"], "TELEWIRE_DOMAIN": domain, "TELEWIRE_TIMEOUT_S": "5"}
    program = [sys.executable, "-m", "telewire", *arguments]
    environment = os.environ | variables | where
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, env=environment)


def write_through_the_drop_in(library: Any) -> str:
    manager = started(library.get_session_manager_api().create_service())
    key = manager.create_new_session(SessionCreationInfo("Car", identifier="FP1")).unwrap().session_key
    writer = started(library.get_writing_packet_api().create_service())
    assert writer.write_data("Car", "", key, note(key, "x")).success
    assert writer.flush().success
    assert manager.end_session("Car", key).success
    return str(key)


def reader_of(library: Any, key: str) -> tuple[Any, Seen]:
    configuration = PacketReadingConfiguration(
        data_source="Car", session_key=key, reading_type=PacketReadingType.HISTORIC
    )
    service = library.get_reading_packet_api().create_service(configuration).unwrap()
    assert service.initialise().success
    seen = Seen()
    service.add_handler(seen)
    assert service.start().success
    return service, seen


def test_the_drop_in_writes_and_reads_through_tls_with_a_login(guarded: GuardedKafka) -> None:
    with library_on(guarded.addresses["sasl_tls"], new_domain(), security=secured(guarded)) as (library, _):
        key = write_through_the_drop_in(library)
        service, seen = reader_of(library, key)
        assert service.wait_for_completion(timeout_seconds=30)
        assert "x" in seen.texts


def test_the_drop_in_answers_a_refused_login_with_its_code(guarded: GuardedKafka) -> None:
    library, _ = create(where(guarded.addresses["sasl_tls"], "D", security=secured(guarded, password="wrong")))
    assert "user name or password is wrong" in failed_with(library.initialise(), "SL-CONN-002")


def test_the_drop_in_says_which_right_lacks_and_reads_on_when_it_is_given(guarded: GuardedKafka) -> None:
    domain = new_domain()
    address = guarded.addresses["sasl_tls"]
    with library_on(address, domain, security=secured(guarded)) as (library, _):
        key = write_through_the_drop_in(library)
    known = [("topic", f"{domain}.{topic}", "Read") for topic in ("Sys.SessionInfo", "Essential.Car")]
    options: dict[str, Any] = {
        "security": secured(guarded, "reader"),
        "additional_properties": ["telewire.layout=domain"],
    }
    with guarded.allowed("reader", known), library_on(address, domain, **options) as (library, log):
        writer = started(library.get_session_manager_api().create_service())
        denied = failed_with(writer.create_new_session(SessionCreationInfo("Car", identifier="no")), "SL-CONN-003")
        assert f"user 'reader' lacks the right Write on topic '{domain}.Sys.SessionInfo'" in denied
        service, seen = reader_of(library, key)
        lacks = f"user 'reader' lacks the right Read on topic '{domain}.Data.Car'"
        eventually(lambda: any(lacks in line for line in log.of("error")), "the right that lacks")
        assert not service.wait_for_completion(timeout_seconds=0.5)
        with guarded.allowed("reader", [("topic", f"{domain}.Data.Car", "Read")]):
            assert service.wait_for_completion(timeout_seconds=30), log.lines
            assert "x" in seen.texts


def test_the_command_works_through_tls_with_a_login_and_says_what_is_refused(guarded: GuardedKafka) -> None:
    domain = new_domain()
    address, security = guarded.addresses["sasl_tls"], guarded.security("sasl_tls", "SCRAM-SHA-512")
    with telewire.connect(address, security=security, domain=domain) as client:
        key = client.create_session("Car", identifier="FP1").key
    listed = command(guarded, domain, "sessions", "--json")
    assert [info["key"] for info in json.loads(listed.stdout)] == [key], listed.stderr
    ended = command(guarded, domain, "end", key, "--force")
    assert ended.returncode == 0, ended.stderr
    refused = command(guarded, domain, "sessions", sasl_password="wrong")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("telewire: authentication with ")
    assert refused.stderr.count("\n") == 1
    assert "user name or password is wrong" in refused.stderr
    denied = command(guarded, domain, "sessions", sasl_username="member")
    assert denied.returncode == 1
    assert f"user 'member' lacks the right Read on topic '{domain}.Sys.SessionInfo'" in denied.stderr
