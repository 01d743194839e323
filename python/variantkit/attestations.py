"""Attestations that lie beside a file, as what a repository serves for it (PEP 740).

`NAME.provenance` is taken as it is; `NAME.publish.attestation`, which publishing tools write, is wrapped. That each is
about this very file is checked; its signature is for whoever trusts it to verify.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from variantkit.errors import IndexingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["provenance"]

# What the identity provider of a trusted publisher writes into the certificate that signs.
_IDENTITIES = {
    "GitHub": re.compile(r"https://github\.com/(?P<repository>[^/]+/[^/]+)/\.github/workflows/(?P<workflow>[^/@]+)@.+"),
    "GitLab": re.compile(r"https://gitlab\.com/(?P<repository>.+?)//(?P<workflow_filepath>[^@]+)@.+"),
}


def provenance(path: Path, sha256: str) -> bytes | None:
    """Return the provenance object of the file in `path`, or None where there is no attestation.

    Raises `IndexingError` where one is damaged, or is about another file.
    """
    whole = path.with_name(path.name + ".provenance")
    single = path.with_name(path.name + ".publish.attestation")
    source = whole if whole.exists() else single if single.exists() else None
    if source is None:
        return None
    try:
        document: Any = json.loads(source.read_bytes())
        if source == single:
            bundle = {"publisher": _publisher(document, source), "attestations": [document]}
            document = {"version": 1, "attestation_bundles": [bundle]}
        subjects = [
            (subject["name"], subject["digest"]["sha256"])
            for bundle in document["attestation_bundles"]
            for attestation in bundle["attestations"]
            for subject in json.loads(base64.b64decode(attestation["envelope"]["statement"]))["subject"]
        ]
    except IndexingError:
        raise
    except (AttributeError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"{source} is not an attestation as PEP 740 has them: {error!r}. Attest the file again, or remove it."
        raise IndexingError(msg) from error
    if not subjects or any(subject != (path.name, sha256) for subject in subjects):
        msg = f"{source} is about another file than {path.name} with this content. Attest the file again, or remove it."
        raise IndexingError(msg)
    return (json.dumps(document, indent=2) + "\n").encode()


def _publisher(attestation: dict[str, Any], source: Path) -> dict[str, str]:
    """Return who has signed, as the certificate says; raise `IndexingError` where it says nothing that is known."""
    try:
        from cryptography import x509
    except ImportError as error:
        msg = f"{source} has a certificate that cannot be read without cryptography: python -m pip install cryptography"
        raise IndexingError(msg) from error
    data = base64.b64decode(attestation["verification_material"]["certificate"])
    try:
        names = x509.load_der_x509_certificate(data).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        identities = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        identities = []
    for identity in identities:
        for kind, pattern in _IDENTITIES.items():
            if match := pattern.fullmatch(identity):
                return {"kind": kind, **match.groupdict()}
    msg = (
        f"{source} is signed by {', '.join(identities) or 'nobody that its certificate names'}, which is no publisher that is "
        f"known here. Give the whole provenance, as {source.name.removesuffix('.publish.attestation')}.provenance."
    )
    raise IndexingError(msg)
