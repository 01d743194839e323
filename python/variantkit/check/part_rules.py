"""Rules on what a wheel is made of: its software bill of materials (PEP 770) and its licence (PEP 639)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from variantkit.check.documents import load
from variantkit.check.registry import Problem, rule
from variantkit.sbom import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from variantkit.check.contents import Contents
    from variantkit.check.model import Files

__all__: list[str] = []


@rule(
    "VK501 sbom",
    what="A wheel with machine code has a CycloneDX list of its parts, which names each native file with its true hash.",
    why="Scanners find vulnerable parts of machine code in this list only.",
    mend="Build the wheel again with `variantkit build`, and repair it with `variantkit repair`.",
)
def _check_sbom(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        yield from (Problem(wheel.path, what) for what in _sbom(wheel))


def _sbom(wheel: Contents) -> Iterator[str]:
    native = sorted(name for name in wheel.members if NATIVE.fullmatch(name))
    names = sorted(
        name for name in wheel.texts if name.startswith(f"{wheel.dist_info}/sboms/") and name.endswith(".json")
    )
    if native and not names:
        yield f"it has machine code, {native[0]}, and no {wheel.dist_info}/sboms/"
        return
    listed: set[tuple[str, str]] = set()
    for name in names:
        try:
            document = load(wheel.texts[name])
        except ValueError as error:
            yield f"{name} is not JSON: {error}"
            continue
        if defect := _cyclonedx(document):
            yield f"{name} {defect}"
            continue
        parts = _files(document)
        listed |= parts
        hashes = {member.sha256 for member in wheel.members.values()}
        for file, digest in sorted(parts):
            # The list of a library goes along when the library is moved into a variant.
            if file in wheel.members and wheel.members[file].sha256 != digest:
                yield f"{name} has another hash of {file} than the file"
            elif file not in wheel.members and digest not in hashes:
                yield f"{name} lists {file}, and no file of the wheel has that hash"
    known = {digest for _, digest in listed}
    for file in native:
        if wheel.members[file].sha256 not in known and file not in {name for name, _ in listed}:
            yield f"no list in {wheel.dist_info}/sboms/ has {file}"


def _cyclonedx(document: object) -> str:
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        return "is not a CycloneDX list"
    if not isinstance(document.get("specVersion"), str):
        return "does not say the version of CycloneDX"
    components = document.get("components", [])
    if not isinstance(components, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("type"), str)
        for each in components
    ):
        return "has components without a name or a type"
    return ""


def _files(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the files that a list names, with their SHA-256."""
    found = set()
    for component in document.get("components", []):
        hashes = component.get("hashes")
        for each in hashes if isinstance(hashes, list) and component["type"] == "file" else []:
            if isinstance(each, dict) and each.get("alg") == "SHA-256" and isinstance(each.get("content"), str):
                found.add((component["name"], each["content"].lower()))
    return found


@rule(
    "VK502 licence",
    what="METADATA has a License-Expression and at least one License-File, and each of these is in the wheel.",
    why="Without its licence nobody may pass a wheel on.",
    mend="Set `license` and `license-files` in pyproject.toml, and build it again.",
)
def _check_licence(files: Files) -> Iterator[Problem]:
    for wheel in files.wheels:
        if not wheel.metadata.get("License-Expression"):
            yield Problem(wheel.path, "METADATA has no License-Expression")
        names = wheel.metadata.all("License-File")
        if not names:
            yield Problem(wheel.path, "METADATA has no License-File")
        for name in names:
            if f"{wheel.dist_info}/licenses/{name}" not in wheel.members:
                yield Problem(wheel.path, f"METADATA has the License-File {name}, and it is not in the wheel")
    for sdist in files.sdists:
        folder = sdist.path.name.removesuffix(".tar.gz")
        for name in sdist.metadata.all("License-File"):
            if f"{folder}/{name}" not in sdist.files:
                yield Problem(sdist.path, f"PKG-INFO has the License-File {name}, and it is not in the sdist")
