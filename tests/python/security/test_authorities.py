"""Without a named authority those of the system are trusted, wherever the usual systems keep them.

The files are made in a mount namespace of the test's own, in which the machine's authorities cannot be seen; the
machine's files are not touched.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import telewire
from guarded_kafka import GuardedKafka

# Where each system has them: the first is what its package of authorities makes.
PLACES = {
    "Debian and Ubuntu": "/etc/ssl/certs/ca-certificates.crt",
    "Fedora up to 42": "/etc/pki/tls/certs/ca-bundle.crt",
    "Fedora from 43": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "openSUSE": "/etc/ssl/ca-bundle.pem",
    "Alpine": "/etc/ssl/cert.pem",
}
# All that librdkafka and OpenSSL look at; those below /etc are taken out of a copy of it.
OF_ETC = "ssl pki certs openssl"
OTHERS = "/usr/local/etc /usr/local/share/certs /usr/local/ssl"
CONNECT = """
import sys
import telewire
try:
    telewire.connect(sys.argv[1], security={"protocol": "ssl"}, timeout_s=5, domain="Any").close()
except telewire.TelewireError as error:
    print(error.code, error)
else:
    print("connected")
"""


HIDE = f"""
set -e
mount -t tmpfs none /tmp
cp -a /etc /tmp/etc
cd /tmp/etc
rm -rf {OF_ETC}
mount --bind /tmp/etc /etc
for folder in {OTHERS}; do
    if [ -d "$folder" ]; then mount -t tmpfs none "$folder"; fi
done
if [ -n "$PLACE" ]; then
    mkdir -p "$(dirname "$PLACE")"
    printf %s "$AUTHORITY" > "$PLACE"
fi
cd /
exec "$@"
"""
UNSHARED = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def connect_where(guarded: GuardedKafka, place: str, authority: Path) -> str:
    """What connecting says on a system that has this authority in this file, and no other."""
    if subprocess.run([*UNSHARED, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, check=False).returncode:
        pytest.xfail("this machine lets nobody make a mount namespace; the unit tests look at the list of places")
    variables = {key: value for key, value in os.environ.items() if key not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    done = subprocess.run(
        [*UNSHARED, "sh", "-c", HIDE, "sh", sys.executable, "-c", CONNECT, guarded.addresses["tls"]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=variables | {"AUTHORITY": authority.read_text(), "PLACE": place},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES.keys())
def test_the_authorities_of_the_system_are_found_where_it_keeps_them(guarded: GuardedKafka, path: str) -> None:
    assert connect_where(guarded, path, guarded.authority.certificate) == "connected"


def test_an_authority_that_the_system_does_not_know_is_refused_naming_the_systems_file(guarded: GuardedKafka) -> None:
    path = PLACES["Debian and Ubuntu"]
    said = connect_where(guarded, path, guarded.other_authority.certificate)
    assert said.startswith("authentication ")
    assert "ca-certificates" in said
    assert f"trusted are those in '{path}'" in said


def test_a_system_without_authorities_is_told_apart(guarded: GuardedKafka) -> None:
    said = connect_where(guarded, "", guarded.authority.certificate)
    assert said.startswith("authentication ")
    assert "no authorities were found where systems usually keep them" in said
    assert "package ca-certificates" in said


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_variables_of_openssl_name_the_authorities(
    guarded: GuardedKafka, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    folder = guarded.authority.hashed(tmp_path)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(folder) if variable == "SSL_CERT_DIR" else guarded.ca)
    telewire.connect(guarded.addresses["tls"], security={"protocol": "ssl"}, domain="Any").close()
