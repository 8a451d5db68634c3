"""Apache Kafka for tests is ready in time, and gone afterwards whatever happened."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kafka_cluster import SCRIPT, KafkaCluster, assert_ready, kafka_cluster
from processes import is_running, python_process, wait_until

GONE_WITHIN_S = 10.0

STARTER = """
    import sys, time
    from kafka_cluster import kafka_cluster

    with kafka_cluster() as cluster:
        print(cluster.pid, cluster.folder)
        sys.stdin.readline()
        {what_then}
"""


def starter(what_then: str = "time.sleep(3600)") -> str:
    return STARTER.format(what_then=what_then)


def announced(line: str) -> tuple[int, Path]:
    pid, _, folder = line.strip().partition(" ")
    assert is_running(int(pid))
    assert Path(folder).is_dir()
    return int(pid), Path(folder)


def assert_gone(pid: int, folder: Path) -> None:
    wait_until(lambda: not is_running(pid), GONE_WITHIN_S, f"the JVM {pid} ends")
    wait_until(lambda: not folder.exists(), GONE_WITHIN_S, f"{folder} is removed")


@pytest.fixture
def path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def test_kafka_is_ready_within_20_s_and_takes_an_idempotent_record() -> None:
    begin = time.monotonic()
    with kafka_cluster() as cluster:
        assert_ready(cluster.address)
        assert time.monotonic() - begin < 20
        assert (cluster.jars / f"kafka-tools-{cluster.version}.jar").exists()


def test_kafka_is_gone_after_the_block() -> None:
    with kafka_cluster() as cluster:
        pass
    assert not is_running(cluster.pid)
    assert not cluster.folder.exists()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param("time.sleep(3600)", signal.SIGKILL, id="kill -9"),
        pytest.param("raise RuntimeError('a test fails')", None, id="exception"),
        pytest.param("import os; os._exit(3)", None, id="exit without clean-up"),
        pytest.param("time.sleep(3600)", signal.SIGINT, id="Ctrl-C"),
    ],
)
def test_kafka_is_gone_when_its_starter_ends_by(end: str, code: signal.Signals | None, path: dict[str, str]) -> None:
    with python_process(starter(end), env=path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid, folder = announced(process.stdout.readline())
        process.stdin.write("go\n")
        process.stdin.flush()
        if code is not None:
            # To the starter alone, so that what ends Kafka is our doing and not the signal's.
            process.send_signal(code)
        process.wait(timeout=GONE_WITHIN_S)
        assert_gone(pid, folder)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent by itself")
def test_the_jvm_does_not_outlive_its_supervisor_killed_by_9() -> None:
    command = [sys.executable, str(SCRIPT), "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        said = json.loads(supervisor.stdout.readline())
        assert is_running(said["pid"])
        supervisor.kill()
        wait_until(lambda: not is_running(said["pid"]), GONE_WITHIN_S, "the JVM ends")
    # Its folder is an orphan now; the next start removes it once it is old enough.
    folder = Path(said["folder"])
    os.utime(folder, (0, 0))
    with kafka_cluster():
        assert not folder.exists()


def test_a_living_kafka_keeps_its_folder_however_old() -> None:
    with kafka_cluster() as first:
        os.utime(first.folder, (0, 0))
        with kafka_cluster():
            assert first.folder.exists()


def test_run_gives_the_address_to_the_command_and_returns_its_exit_code() -> None:
    check = "import os, sys; print(os.environ['TELEWIRE_TEST_BROKERS']); sys.exit(7)"
    environment = {name: value for name, value in os.environ.items() if name != "TELEWIRE_TEST_BROKERS"}
    command = [sys.executable, str(SCRIPT), "run", "--", sys.executable, "-c", check]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 7, result.stderr
    assert result.stdout.startswith("127.0.0.1:")


def test_run_starts_nothing_when_a_cluster_is_given() -> None:
    check = "import os; print(os.environ['TELEWIRE_TEST_BROKERS'])"
    environment = os.environ | {"TELEWIRE_TEST_BROKERS": "elsewhere:1", "TELEWIRE_KAFKA_JARS": "/nonexistent"}
    command = [sys.executable, str(SCRIPT), "run", "--", sys.executable, "-c", check]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "elsewhere:1\n"


def test_settings_reach_the_broker() -> None:
    with kafka_cluster({"message.max.bytes": "4242424"}) as cluster:
        arguments = ["--bootstrap-server", cluster.address, "--describe", "--all", "--entity-type", "brokers"]
        told = cluster.tool("kafka.admin.ConfigCommand", *arguments, "--entity-name", "1")
    assert "message.max.bytes=4242424" in told


def test_a_wrong_setting_fails_the_start_with_kafkas_own_words() -> None:
    with pytest.raises(RuntimeError, match=r"Invalid value many for configuration num\.partitions"):
        start({"num.partitions": "many"})


def test_a_port_that_is_taken_is_refused() -> None:
    with kafka_cluster() as cluster:
        port = int(cluster.address.partition(":")[2])
        with pytest.raises(RuntimeError, match=f"port {port} cannot be used"), kafka_cluster(port=port):
            pass


def start(settings: dict[str, str]) -> KafkaCluster:
    with kafka_cluster(settings) as cluster:
        return cluster


def test_a_folder_without_kafka_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TELEWIRE_KAFKA_JARS", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"holds no kafka_2\.13"):
        start({})


def test_no_cluster_id_looks_like_an_option_of_kafkas_storage_tool() -> None:
    # One in 64 did, and that Kafka did not start.
    spec = importlib.util.spec_from_file_location("kafka_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    try:
        spec.loader.exec_module(script)
        ids = {script.cluster_id() for _ in range(2000)}
    finally:
        del sys.modules[spec.name]
    assert len(ids) == 2000
    assert not [text for text in ids if text.startswith("-") or len(text) != 22]
