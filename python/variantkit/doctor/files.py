"""What is installed: distributions, libraries against their MANIFEST and RECORD, and duplicates."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from variantkit.doctor.facts import Damage, Distribution
from variantkit.doctor.recorded import damage, read
from variantkit.installed import search_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.catalogue import Catalogue
    from variantkit.select import Installed

__all__ = ["classifier_folders", "distributions", "overwritten", "package_folders", "wrong_hashes"]


def distributions(names: Iterable[str], path: Sequence[str], package: str = "") -> tuple[Distribution, ...]:
    """Return all distributions of these names on the path; one that is installed twice is there twice.

    `package` is the folder that is theirs alone: what lies in it has to be in their RECORD.
    """
    found: dict[str, Distribution] = {}
    for name in names:
        for item in metadata.distributions(name=name, path=list(path)):
            one = _distribution(item, package)
            found.setdefault(os.path.realpath(one.metadata), one)
    return tuple(found.values())


def _distribution(item: metadata.Distribution, package: str) -> Distribution:
    folder = str(Path(str(item.locate_file(""))).absolute())
    place = getattr(item, "_path", None)  # there is no public name for the .dist-info folder itself
    stem = Path(str(place or "")).name
    text, unread = read(item, "METADATA")
    name, version = "", ""
    requires: tuple[str, ...] = ()
    if not unread:
        # `metadata` is None, or raises, where METADATA was lost.
        try:
            name, version = item.metadata["Name"] or "", item.version or ""
            requires = tuple(item.requires or ())
        except Exception:  # noqa: BLE001 -- whatever a damaged METADATA does, its folder still says both
            name, version, requires = "", "", ()
    if not name or not version:
        name, _, version = stem.removesuffix(".dist-info").partition("-")
    wheel = read(item, "WHEEL")[0] or ""
    tags = tuple(line[4:].strip() for line in wheel.splitlines() if line.startswith("Tag:"))
    direct, editable = _direct(read(item, "direct_url.json")[0] or "")
    wrong: tuple[Damage, ...] = ()
    recorded = True
    if stem.endswith(".dist-info"):
        if not text:
            why = unread or ("is missing" if text is None else "is empty")
            wrong = (Damage(file=f"{stem}/METADATA", path=str(Path(folder, stem, "METADATA")), why=why),)
        # What is developed in place has its package elsewhere.
        found = damage(item, folder, stem, "" if editable else package)
        recorded = found is not None
        # RECORD says of METADATA the same once more.
        wrong += tuple(each for each in found or () if each.path not in {other.path for other in wrong})
    return Distribution(
        name=name,
        version=version,
        folder=folder,
        metadata=str(Path(str(place)).absolute()) if place else folder,
        tags=tags,
        requires=requires,
        recorded=recorded,
        damage=wrong,
        direct=direct,
        editable=editable,
        installer=(read(item, "INSTALLER")[0] or "").strip(),
    )


def _direct(text: str) -> tuple[str, bool]:
    """Return what to give to an installer to have the same again, "" where that is gone, and whether it is editable.

    `text` is a direct_url.json (https://packaging.python.org/specifications/direct-url-data-structure/).
    """
    if not text:
        return "", False
    # It brings HTTP and OpenSSL with it.
    from urllib.request import url2pathname

    try:
        data = json.loads(text)
        url, part = str(data["url"]), str(data.get("subdirectory") or "")
        editable = bool(data.get("dir_info", {}).get("editable"))
        if "vcs_info" in data:
            version_control = data["vcs_info"]
            end = f"#subdirectory={part}" if part else ""
            return f"{version_control['vcs']}+{url}@{version_control['commit_id']}{end}", False
        if urlsplit(url).scheme != "file":
            return url, False
        path = Path(url2pathname(urlsplit(url).path), part if "dir_info" in data else "")
        return (str(path) if path.exists() else ""), editable
    except (ValueError, LookupError, TypeError, AttributeError, OSError):  # damaged
        return "", False


def wrong_hashes(installed: Iterable[Installed]) -> tuple[tuple[str, str], ...]:
    """Return the classifiers whose library is not the one that their MANIFEST describes, with the reason."""
    found = []
    for item in installed:
        if item.defect or not item.sha256:
            continue
        try:
            actual = hashlib.sha256(Path(item.path).read_bytes()).hexdigest()
        except OSError as error:
            found.append((item.classifier, f"its library cannot be read: {error.strerror}"))
            continue
        if actual != item.sha256.lower():
            found.append(
                (item.classifier, f"its SHA-256 is {actual[:16]}…, where its MANIFEST says {item.sha256[:16]}…")
            )
    return tuple(found)


def overwritten(installed: Iterable[Installed], distributions: Iterable[Distribution]) -> tuple[tuple[str, str], ...]:
    """Return the classifiers whose library or MANIFEST is not the one that RECORD lists, with the reason.

    Whoever replaces a library can write a MANIFEST that describes it; RECORD says what was installed. What is developed in
    place changes without its RECORD.
    """
    changed = {
        os.path.realpath(each.path) for item in distributions if not item.editable for each in item.damage if each.path
    }
    found = []
    for item in installed:
        if item.defect:
            continue
        files = {"library": item.path, "MANIFEST": str(Path(item.path).parent / "MANIFEST")}
        which = [name for name, path in files.items() if os.path.realpath(path) in changed]
        if which:
            why = f"its {' and its '.join(which)} {'was' if len(which) == 1 else 'were'} overwritten after it was installed"
            found.append((item.classifier, f"{why}, as RECORD shows"))
    return tuple(found)


def package_folders(package: str, used: str, path: Sequence[str]) -> tuple[str, ...]:
    """Return each folder of the path that holds a package of that name, the one that is used first."""
    candidates = [Path(used), *(Path(entry, package) for entry in path)]
    # A classifier's library alone, as an editable install has it, is no second package.
    return _distinct(folder for folder in candidates if _is_file(folder / "__init__.py"))


def classifier_folders(
    catalogue: Catalogue, package_dir: str, path: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return, for each classifier, the folders with a MANIFEST that the loader looks into."""
    found = []
    for row in catalogue.classifiers:
        candidates = [Path(package_dir, "classifiers", row.name)]
        for folder in search_folders(package_dir, path):
            candidates.append(Path(folder, f"{catalogue.package}_{row.label}"))
            candidates.append(Path(folder, catalogue.package, "classifiers", row.name))
        places = _distinct(each for each in candidates if _is_file(each / "MANIFEST"))
        if places:
            found.append((row.name, places))
    return tuple(found)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a folder that may not be entered; a NUL in the path
        return False


def _distinct(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders without those that are another one by way of a link (lib64)."""
    found: dict[str, str] = {}
    for folder in folders:
        found.setdefault(os.path.realpath(folder), str(folder))
    return tuple(found.values())
