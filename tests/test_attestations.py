"""Attestations beside files (PEP 740)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certificates import GITHUB, certificate
from variantkit.attestations import provenance
from variantkit.errors import IndexingError

NAME, DIGEST = "demo-1.0-py3-none-any.whl", "ab" * 32


def attestation(name: str = NAME, digest: str = DIGEST, identity: str | None = GITHUB) -> dict[str, Any]:
    """Return an attestation as publishing tools write it."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }
    return {
        "version": 1,
        "verification_material": {"certificate": certificate(identity), "transparency_entries": [{}]},
        "envelope": {"statement": base64.b64encode(json.dumps(statement).encode()).decode(), "signature": "MEUC"},
    }


def whole(*attestations: Any) -> dict[str, Any]:
    publisher = {"kind": "GitHub", "repository": "a/b", "workflow": "release.yml"}
    return {"version": 1, "attestation_bundles": [{"publisher": publisher, "attestations": list(attestations)}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def test_no_attestation(path: Path) -> None:
    assert provenance(path, DIGEST) is None


def test_one_attestation_is_wrapped(path: Path) -> None:
    path.with_name(f"{NAME}.publish.attestation").write_text(json.dumps(attestation()))
    found = provenance(path, DIGEST)
    assert found is not None
    document = json.loads(found)
    assert document["version"] == 1
    assert [bundle["attestations"] for bundle in document["attestation_bundles"]] == [[attestation()]]


@pytest.mark.parametrize(
    ("identity", "publisher"),
    [
        (GITHUB, {"kind": "GitHub", "repository": "ada/engine", "workflow": "release.yml"}),
        (
            "https://gitlab.com/group/sub/engine//.gitlab-ci.yml@refs/tags/v1.0",
            {"kind": "GitLab", "repository": "group/sub/engine", "workflow_filepath": ".gitlab-ci.yml"},
        ),
    ],
)
def test_the_publisher_is_who_has_signed(path: Path, identity: str, publisher: dict[str, str]) -> None:
    path.with_name(f"{NAME}.publish.attestation").write_text(json.dumps(attestation(identity=identity)))
    document = json.loads(provenance(path, DIGEST) or b"")
    assert [bundle["publisher"] for bundle in document["attestation_bundles"]] == [publisher]


@pytest.mark.parametrize("identity", [None, "https://ci.example.org/ada/engine"])
def test_a_publisher_that_is_not_known(path: Path, identity: str | None) -> None:
    path.with_name(f"{NAME}.publish.attestation").write_text(json.dumps(attestation(identity=identity)))
    with pytest.raises(
        IndexingError,
        match=r"^/.*is signed by .* Give the whole provenance, as demo-1\.0-py3-none-any\.whl\.provenance",
    ):
        provenance(path, DIGEST)


def test_a_provenance_is_taken_as_it_is_and_goes_first(path: Path) -> None:
    path.with_name(f"{NAME}.provenance").write_text(json.dumps(whole(attestation(), attestation())))
    path.with_name(f"{NAME}.publish.attestation").write_text("damaged, and not looked at")
    found = provenance(path, DIGEST)
    assert found is not None
    assert json.loads(found) == whole(attestation(), attestation())


@pytest.mark.parametrize(
    "document",
    [
        whole(),
        whole(attestation("other-1.0-py3-none-any.whl")),
        whole(attestation(digest="00" * 32)),
        whole(attestation(), attestation(digest="00" * 32)),
        {"version": 1, "attestation_bundles": []},
    ],
)
def test_an_attestation_of_another_file(path: Path, document: dict[str, Any]) -> None:
    path.with_name(f"{NAME}.provenance").write_text(json.dumps(document))
    with pytest.raises(
        IndexingError, match=r"is about another file than demo-1\.0-py3-none-any\.whl with this content"
    ):
        provenance(path, DIGEST)


@pytest.mark.parametrize("suffix", ["provenance", "publish.attestation"])
@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"null", b"[]", b"1", b"\xff", b'{"attestation_bundles": 1}', b'{"attestation_bundles": [1]}', b"[" * 100_000,
        json.dumps(whole({"envelope": {"statement": "%"}})).encode(),
        json.dumps(whole({"envelope": {"statement": base64.b64encode(b"{").decode()}})).encode(),
        json.dumps(whole({"envelope": {"statement": base64.b64encode(b"[]").decode()}})).encode(),
        json.dumps(whole({"envelope": {"statement": 1}})).encode(),
        json.dumps({"envelope": {"statement": base64.b64encode(b'{"subject": [1]}').decode()}}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_attestation(path: Path, suffix: str, text: bytes) -> None:
    path.with_name(f"{NAME}.{suffix}").write_bytes(text)
    with pytest.raises(IndexingError, match="is not an attestation as PEP 740 has them"):
        provenance(path, DIGEST)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_anywhere(path: Path, data: st.DataObject) -> None:
    content = bytearray(json.dumps(whole(attestation())).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=3))
    path.with_name(f"{NAME}.provenance").write_bytes(bytes(content))
    try:
        found = provenance(path, DIGEST)
    except IndexingError:
        return
    assert found is not None
    assert json.loads(found) == json.loads(bytes(content))
