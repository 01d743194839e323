"""Certificates as trusted publishing has them: whoever signed is in a URI, and nothing else matters here."""

from __future__ import annotations

import base64
import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["GITHUB", "certificate"]

GITHUB = "https://github.com/ada/engine/.github/workflows/release.yml@refs/tags/v1.0"


@functools.cache
def certificate(identity: str | None = GITHUB) -> str:
    """Return a certificate of `identity`, or of nobody, as an attestation has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    day = datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        x509.Name([]), x509.Name([]), key.public_key(), 1, day, day + datetime.timedelta(minutes=10)
    )
    if identity is not None:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        builder = builder.add_extension(names, critical=True)
    made = builder.sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()
