"""Certificates for tests: authorities, and what they sign. Everything is PEM, which Kafka and librdkafka both read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("localhost", "127.0.0.1")
"""Whom a certificate speaks for unless told otherwise: the broker of the tests."""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as files in one folder."""

    certificate: Path
    """The certificate, and those of the authorities between it and the root."""
    key: Path
    """Its key, PKCS#8."""

    @property
    def both(self) -> Path:
        """Key and certificate in one file, as Kafka's PEM key stores are."""
        both = self.key.with_suffix(".store.pem")
        both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return both

    def locked(self, password: str) -> Path:
        """Its key in another file that needs a password."""
        key = serialization.load_pem_private_key(self.key.read_bytes(), None)
        locked = self.key.with_suffix(".locked.pem")
        locked.write_bytes(_pem(key, serialization.BestAvailableEncryption(password.encode())))  # type: ignore[arg-type]
        return locked


class Authority:
    """Signs certificates. Its own is in the file `certificate`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        now = datetime.now(UTC)
        builder = _builder(self._name, self._name, self._key, now - timedelta(days=1000), now + timedelta(days=1000))
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        builder = builder.add_extension(usage, critical=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def hashed(self, folder: Path) -> Path:
        """A folder with its certificate under the name by which OpenSSL looks for it."""
        subject = x509.load_pem_x509_certificate(self.certificate.read_bytes()).subject
        (folder / f"{_subject_hash(subject):08x}.0").write_bytes(self.certificate.read_bytes())
        return folder

    def issue(
        self,
        name: str,
        names: Sequence[str] = NAMES,
        *,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=30),
        signs_itself: bool = False,
    ) -> Issued:
        """Make a key and sign its certificate.

        Args:
            name: Common name, and of the files.
            names: Hosts and addresses that it speaks for.
            begins: When it becomes valid, from now.
            ends: When it ceases to be.
            signs_itself: It is signed with its own key and not with the authority's.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = _name(name)
        issuer = subject if signs_itself else self._name
        alternative = x509.SubjectAlternativeName([_general(given) for given in names])
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(subject, issuer, key, now + begins, now + ends)
        builder = builder.add_extension(alternative, critical=False).add_extension(usages, critical=False)
        signed = builder.sign(key if signs_itself else self._key, hashes.SHA256())
        issued = Issued(self._folder / f"{name}.crt.pem", self._folder / f"{name}.key.pem")
        issued.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(_pem(key, serialization.NoEncryption()))
        return issued


def _subject_hash(name: x509.Name) -> int:
    """OpenSSL's X509_NAME_hash: the first bytes of SHA-1 over the name in lower case, without its outer frame."""
    sets = b"".join(
        _der(0x31, _der(0x30, _der(0x06, _oid(part.oid.dotted_string)) + _der(0x0C, str(part.value).lower().encode())))
        for part in name
    )
    return int.from_bytes(hashlib.sha1(sets, usedforsecurity=False).digest()[:4], "little")


def _der(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return bytes([40 * first + second, *rest])


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(begins).not_valid_after(ends)


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
