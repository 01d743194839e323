"""Ready-made lines: what to type, or to write where, so that a tool installs a distribution with one of its classifiers.

Two questions are answered for each tool, by what its users expect and by what is safe.

**Which version?** A command that is typed once (pip, `uv pip`) names none, because whoever types it wants the newest. A
project (uv, Poetry, PDM, Hatch, Pixi) names the compatible ones, `~=`: its lock file keeps the exact one, and updating
that takes repairs and no surprises. What has to be the same on another day without a lock file (requirements files,
conda's environment files, images) names exactly one, `==`. So does everything for a version that is no final release,
because tools pass over such versions unless they are asked for.

**Which index?** Where an index is given, what is published there must be taken from there and from nowhere else, although
its dependencies come from elsewhere. pip's `--extra-index-url` does not say that: pip takes the highest version that any
index has, so that whoever registers the name at another one is installed ("dependency confusion"). So each tool gets the
words that it has against this, and where it has none a comment says what helps:

* uv asks its indexes in order, and a package that one of them has is taken from no later one. An `explicit` index with
  `[tool.uv.sources]` would be weaker: sources are for what a project requires itself, so that the wheel of a classifier,
  which an extra requires, would be taken from the default index.
* Poetry's `explicit` sources are for what a project requires itself too; so everything that is published there is required.
* PDM's `include_packages` are for all packages.
* Hatch and an image have uv install; Pixi has uv's resolver inside.
* pip gets two commands, of which the first one asks that index only.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from variantkit._record import Record
from variantkit.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from variantkit.catalogue import Catalogue

__all__ = ["TOOLS", "conflicts", "exclusions", "lines"]

_FINAL = re.compile(r"(?:[0-9]+!)?[0-9]+(?P<minor>(?:\.[0-9]+)*)(?P<post>\.post[0-9]+)?")
_ANY = "pip takes this from any of its indexes; only hashes stop that: uv pip compile --generate-hashes"


def lines(
    tool: str,
    *,
    distribution: str,
    version: str,
    extra: str | None,
    index: str | None = None,
    variants: bool = False,
    companions: Sequence[str] = ("variantkit",),
) -> str:
    """Return the lines for one tool, without a newline at the end.

    `extra` is a classifier, or None for the base alone; an image runs on other machines than the one it is built on, and
    gets all of them. `index` is the address of the simple repository that has the wheels, in any text; None means what
    the tool is set up with. `companions` are what else comes from there. `variants` says that the tool chooses among
    variant wheels by itself, as uv can, so that no extra is needed.

    Raises `ToolError` for a tool that is not in `TOOLS`, and for one that cannot choose among variant wheels.
    """
    if tool not in _TOOLS:
        msg = f"There are no lines for {tool!r}. Choose one of: {', '.join(TOOLS)}."
        raise ToolError(msg)
    if variants and tool != "uv":
        msg = f"{tool} does not choose among variant wheels. Ask for the lines without variants, or for uv's."
        raise ToolError(msg)
    wanted = _Wanted(
        distribution=distribution,
        version=version,
        extra=None if variants else extra,
        index=index,
        companions=tuple(companions),
    )
    return "\n".join(_uv_variants(wanted) if variants else _TOOLS[tool](wanted))


class _Wanted(Record):
    distribution: str
    version: str
    extra: str | None
    index: str | None
    companions: tuple[str, ...]

    @property
    def final(self) -> bool:
        """Whether tools take this version without being asked for it by name."""
        return _FINAL.fullmatch(self.version) is not None

    @property
    def name(self) -> str:
        return f"{self.distribution}[{self.extra}]" if self.extra else self.distribution

    @property
    def newest(self) -> str:
        """The requirement of a command."""
        return self.name if self.final else self.exactly

    @property
    def compatible(self) -> str:
        """The requirement of a project."""
        return f"{self.name}{self.range}"

    @property
    def range(self) -> str:
        found = _FINAL.fullmatch(self.version)
        if found is None or (found["post"] and not found["minor"]):
            return f"=={self.version}"
        # `~=1` is not allowed, because it would say nothing.
        return f"~={self.version}{'' if found['minor'] else '.0'}"

    @property
    def exactly(self) -> str:
        """The requirement of what has to be the same on another day."""
        return f"{self.name}=={self.version}"

    @property
    def others(self) -> tuple[str, ...]:
        """What else is published beside the distribution, and needed."""
        return (*((f"{self.distribution}-{self.extra}",) if self.extra else ()), *self.companions)


def _pip(wanted: _Wanted) -> list[str]:
    if wanted.index is None:
        return ["# shell", f'python -m pip install "{wanted.newest}"']
    names = " ".join([wanted.distribution, *wanted.others])
    early = "" if wanted.final else "--pre "
    # All of one release: an older one that is installed already would have the second command look for its parts elsewhere.
    return [
        "# shell: first from that index what is published there, then from yours what that needs; again to update",
        f'python -m pip install --upgrade {early}--no-deps --index-url "{wanted.index}" {names} &&',
        f'python -m pip install "{wanted.name}"',
    ]


def _requirements(wanted: _Wanted) -> list[str]:
    if wanted.index is None:
        return ["# requirements.txt", wanted.exactly]
    return [
        f"# requirements.txt: {_ANY}",
        f"--extra-index-url {wanted.index}",
        wanted.exactly,
    ]


def _uv(wanted: _Wanted) -> list[str]:
    found = _project(wanted.compatible)
    if wanted.index is not None:
        found += ["", "# asked before all others, which are not asked for what it has", "[[tool.uv.index]]"]
        found += [f'name = "{wanted.distribution}"', f'url = "{wanted.index}"']
    return found


def _uv_variants(wanted: _Wanted) -> list[str]:
    index = "" if wanted.index is None else f' --index "{wanted.index}"'
    return ["# shell", f'uv pip install --preview-features wheel-variants{index} "{wanted.newest}"']


def _poetry(wanted: _Wanted) -> list[str]:
    if wanted.index is None:
        return _project(wanted.compatible)
    name = wanted.distribution
    found = _project(wanted.compatible, *wanted.others)
    found += ["", "[[tool.poetry.source]]", f'name = "{name}"', f'url = "{wanted.index}"', 'priority = "explicit"']
    found += ["", "[tool.poetry.dependencies]"]
    return [*found, *(f'{each} = {{ source = "{name}" }}' for each in (name, *wanted.others))]


def _pdm(wanted: _Wanted) -> list[str]:
    found = _project(wanted.compatible)
    if wanted.index is not None:
        name = wanted.distribution
        names = ", ".join(f'"{each}"' for each in (name, f"{name}-*", *wanted.companions))
        found += ["", "[[tool.pdm.source]]", f'name = "{name}"', f'url = "{wanted.index}"']
        found += [f"include_packages = [{names}]"]
    return found


def _hatch(wanted: _Wanted) -> list[str]:
    found = _project(wanted.compatible)
    if wanted.index is not None:
        found += ["", "[tool.hatch.envs.default]", 'installer = "uv"']
        found += ["", "[tool.hatch.envs.default.env-vars]", f'UV_INDEX = "{wanted.index}"']
    return found


def _project(*requirements: str) -> list[str]:
    return ["# pyproject.toml", "[project]", "dependencies = [", *(f'    "{each}",' for each in requirements), "]"]


def _pixi(wanted: _Wanted) -> list[str]:
    extras = f', extras = ["{wanted.extra}"]' if wanted.extra else ""
    found = ["# pixi.toml, with a python among its [dependencies]", "[pypi-dependencies]"]
    found += [f'{wanted.distribution} = {{ version = "{wanted.range}"{extras} }}']
    options = []
    if wanted.index is not None:
        options += [f'extra-index-urls = ["{wanted.index}"]', 'index-strategy = "first-index"']
    if not wanted.final:
        options.append('prerelease-mode = "allow"')
    return [*found, "", "[pypi-options]", *options] if options else found


def _conda(wanted: _Wanted) -> list[str]:
    found = ["# environment.yml: there is no conda package; pip installs the wheels inside the environment"]
    found += ["dependencies:", "  - python", "  - pip", "  - pip:"]
    if wanted.index is not None:
        found += [f"      # {_ANY}", f"      - --extra-index-url {wanted.index}"]
    return [*found, f"      - {wanted.exactly}"]


def _docker(wanted: _Wanted) -> list[str]:
    everything = wanted.replace(extra="all").exactly
    found = ["# Dockerfile: with all classifiers, because an image runs on other machines than the one it is built on"]
    if wanted.index is None:
        return [*found, f'RUN python -m pip install --no-cache-dir "{everything}"']
    return [
        *found,
        "RUN python -m pip install --no-cache-dir uv \\",
        ' && python -m uv pip install --python "$(command -v python)" --no-cache \\',
        f'    --index "{wanted.index}" "{everything}"',
    ]


_TOOLS = {
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "hatch": _hatch,
    "pixi": _pixi,
    "conda": _conda,
    "docker": _docker,
    "requirements": _requirements,
}

TOOLS: tuple[str, ...] = tuple(_TOOLS)
"""The tools there are lines for."""


def exclusions(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Return the pairs of classifiers that cannot be installed beside each other.

    Those for the CPU add up, and the best one is loaded. Those for another device are made for a version of what drives
    it, `cuda-12`, and two versions bring libraries of which an environment holds one.
    """
    made_for: dict[str, dict[str, list[str]]] = {}
    for row in catalogue.classifiers:
        version = re.match(rf"{re.escape(row.device)}-([0-9.]+)", row.name)
        if row.device != "cpu" and version:
            made_for.setdefault(row.device, {}).setdefault(version[1], []).append(row.name)
    return [
        pair
        for versions in made_for.values()
        for one, two in itertools.combinations(versions.values(), 2)
        for pair in itertools.product(one, two)
    ]


def conflicts(catalogue: Catalogue) -> str:
    """Return what a uv project says where extras of the catalogue exclude one another, and an empty string elsewhere.

    uv locks all extras of a project together unless it is told which ones are never installed together.
    """
    pairs = exclusions(catalogue)
    if not pairs:
        return ""
    names = dict.fromkeys(name for pair in pairs for name in pair)
    found = [
        "# pyproject.toml, where one of them is chosen with: uv sync --extra NAME",
        "[project.optional-dependencies]",
    ]
    found += [f'{name} = ["{catalogue.distribution}[{name}]"]' for name in names]
    found += ["", "[tool.uv]", "conflicts = ["]
    found += [f'    [{{ extra = "{one}" }}, {{ extra = "{two}" }}],' for one, two in pairs]
    return "\n".join([*found, "]"])
