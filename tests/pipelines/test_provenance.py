"""What an index serves as provenance, read by the library that publishing tools share."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from pypi_attestations import Provenance

from certificates import certificate
from variantkit.attestations import provenance


def test_the_library_reads_what_is_served(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }
    attestation = {
        "version": 1,
        "verification_material": {"certificate": certificate(), "transparency_entries": [{"logIndex": "1"}]},
        "envelope": {"statement": base64.b64encode(json.dumps(statement).encode()).decode(), "signature": "MEUC"},
    }
    path.with_name(f"{path.name}.publish.attestation").write_text(json.dumps(attestation))
    read = Provenance.model_validate_json(provenance(path, "ab" * 32) or b"")
    (bundle,) = read.attestation_bundles
    assert bundle.publisher.kind == "GitHub"
    assert bundle.publisher.repository == "ada/engine"
