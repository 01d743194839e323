"""What findings have in common: what they are about, lists in a sentence, and the command that installs something again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from variantkit.catalogue import Catalogue
from variantkit.installer import command, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.doctor.facts import Distribution, Facts
    from variantkit.doctor.indexes import Configured
    from variantkit.select import Installed

__all__ = [
    "about",
    "hint",
    "installing",
    "library_folder",
    "listed",
    "mending",
    "mending_unread",
    "normal",
    "owner",
    "root",
    "uninstalling",
]

_SHOWN = 4
_HINT = "add the --index-url or --find-links that it was installed with"
# A version, or the package with an extra, and not a file or folder.
_ASKS_AN_INDEX = re.compile(r"pip install [^;&]*(==|\w\[[\w,-]+\]\"?([\s;,]|$))")


def listed(items: Sequence[str], between: str = ", ") -> str:
    """Return the items in a row, the first few of them where there are many."""
    more = f"{between}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return between.join(items[:_SHOWN]) + more


def normal(name: str) -> str:
    """Return the one spelling of a distribution's name that all others are equal to."""
    return re.sub(r"[-_.]+", "-", name).lower()


def library_folder(item: Installed) -> Path:
    """Return the folder that a classifier's library and MANIFEST lie in."""
    path = Path(item.path)
    # Where the MANIFEST cannot be read, the folder is all that is known.
    label = item.classifier.replace("-", "_")
    return path if path.parent.name == "classifiers" or path.name.endswith(f"_{label}") else path.parent


def root(folder: str) -> str:
    """Return the folder of the path in which a package, or the folder of a library, lies."""
    path = Path(folder)
    return str(path.parents[2] if path.parent.name == "classifiers" and len(path.parents) > 2 else path.parent)


def owner(facts: Facts, classifier: str) -> str:
    """Return the distribution that holds a classifier: its own wheel, or the base, as a variant wheel has it."""
    catalogue = facts.catalogue
    within = any(item.classifier == classifier and item.origin == "base" for item in facts.installed)
    return (
        catalogue.distribution
        if classifier in {"", catalogue.base} or within
        else f"{catalogue.distribution}-{classifier}"
    )


def about(facts: Facts, classifier: str) -> frozenset[str]:
    """Return what a finding on a classifier, or on the package for "", is about: the distribution, and its copy."""
    name = normal(owner(facts, classifier))
    folders = [str(library_folder(item)) for item in facts.installed if item.classifier == classifier]
    folders = folders or list(facts.package_folders[:1])
    return frozenset({name, *(f"{name} in {root(folder)}" for folder in folders)})


def installing(facts: Facts, classifier: str) -> str:
    """Return the command that adds a classifier."""
    extra = None if classifier == facts.catalogue.base else classifier
    return command(facts.catalogue, extra, installer=facts.installer)


def mending(facts: Facts, classifier: str | None, other: str = "") -> str:
    """Return the command that reinstalls a classifier's wheel, the base for "", or, for None, the requirement `other`."""
    extra = None
    if classifier is not None and owner(facts, classifier) != facts.catalogue.distribution:
        extra = classifier
    *words, wanted = command(facts.catalogue, extra, repair=True, installer=facts.installer).split(" ")
    if classifier is None:
        wanted = other
    return " ".join([*words, _from_where(wanted, facts.distributions)])


def mending_unread(package: str, item: Distribution) -> str:
    """Return the command that reinstalls the distribution of a package whose catalogue cannot be read."""
    catalogue = Catalogue(
        distribution=item.name, package=package, version=item.version, base="", prefix="", cpuid="", classifiers=()
    )
    *words, wanted = command(catalogue, repair=True, installer=item.installer).split(" ")
    return " ".join([*words, _from_where(wanted, [item])])


def _from_where(wanted: str, distributions: Iterable[Distribution]) -> str:
    """Return what to ask an installer for: the file, folder or repository that a distribution came from, where it did."""
    for item in distributions:
        # One of another version would only bring that back.
        if item.direct and normal(wanted) == normal(f"{item.name}=={item.version}"):
            return f"{'-e ' if item.editable else ''}{quoted(item.direct)}"
    return wanted


def hint(mend: str, configured: Configured) -> str:
    """Return what may have to be added to a command that asks an index, "" where it is complete.

    A folder that the settings name may be that of other packages.
    """
    if configured == "index" or not _ASKS_AN_INDEX.search(mend):
        return ""
    return f"if it is in none of the configured places, {_HINT}" if configured == "folder" else _HINT


def uninstalling(facts: Facts, names: Sequence[str], *, yes: bool = False) -> str:
    """Return the command that removes distributions; with `yes`, pip does not ask."""
    if facts.installer == "conda":
        return f"conda remove {' '.join(names)}"
    words = command(facts.catalogue, installer="uv" if facts.installer == "uv" else "pip").split(" ")[:-1]
    asked = ["--yes"] if yes and facts.installer != "uv" else []
    return " ".join([*words, *asked, *names]).replace("pip install", "pip uninstall", 1)
