"""Attestations that lie beside a file, as what a repository serves for it (PEP 740).

`NAME.provenance` is taken as it is; `NAME.publish.attestation`, which publishing tools write, is wrapped. That each is
about this very file is checked; its signature is for whoever trusts it to verify.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from variantkit.errors import IndexingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["provenance"]


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
            # Who has published it is for the publisher's index to say; a static one knows nothing of it.
            document = {
                "version": 1,
                "attestation_bundles": [{"publisher": {"kind": "unknown"}, "attestations": [document]}],
            }
        subjects = [
            (subject["name"], subject["digest"]["sha256"])
            for bundle in document["attestation_bundles"]
            for attestation in bundle["attestations"]
            for subject in json.loads(base64.b64decode(attestation["envelope"]["statement"]))["subject"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"{source} is not an attestation as PEP 740 has them: {error!r}. Attest the file again, or remove it."
        raise IndexingError(msg) from error
    if not subjects or any(subject != (path.name, sha256) for subject in subjects):
        msg = f"{source} is about another file than {path.name} with this content. Attest the file again, or remove it."
        raise IndexingError(msg)
    return (json.dumps(document, indent=2) + "\n").encode()
