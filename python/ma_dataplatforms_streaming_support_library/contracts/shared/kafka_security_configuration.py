"""Credentials and certificates for brokers that ask for them."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["KafkaSecurityConfiguration"]


@dataclass(slots=True, repr=False)
class KafkaSecurityConfiguration:
    """Who we are for the broker, and whom we trust.

    It is applied if `sasl_username`, `ssl_ca_location` or `ssl_certificate_location` is given; otherwise the
    connection is plain, whatever else is set. Then a `protocol` is needed too, except that user and password alone
    mean ``SaslPlaintext``.

    Attributes:
        sasl_username: User of SASL.
        sasl_password: Password of SASL; never shown.
        protocol: ``Plaintext``, ``Ssl``, ``SaslPlaintext`` or ``SaslSsl``, in any case.
        mechanism: ``Plain`` (default), ``ScramSha256`` or ``ScramSha512``, in any case; for SASL protocols only.
        ssl_ca_location: PEM file of the authority that signed the broker's certificate.
        ssl_certificate_location: PEM file of our own certificate.
        ssl_key_location: PEM file of our own key.
        ssl_key_password: Password of that file; never shown.
    """

    sasl_username: str | None = None
    sasl_password: str | None = None
    protocol: str | None = None
    mechanism: str | None = None
    ssl_ca_location: str | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: str | None = None

    def __setattr__(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a str or None, not {type(value).__name__}")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={'***' if field.name.endswith('password') else value!r}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        )
        return f"KafkaSecurityConfiguration({', '.join(shown)})"
