"""The matrix: `classifiers.toml` as frozen dataclasses, checked before anything is built from it.

The committed JSON schema (`classifiers.schema.json`) is generated from these dataclasses by `variantkit.schema`; it is
what editors use, and what `read_matrix` checks the file against. What a schema cannot say is checked here: features that
a level or another feature implies, labels that fall together, the base row.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from variantkit import features as _features
from variantkit.construct import construct
from variantkit.errors import MatrixError
from variantkit.matrix_check import contradictions, schema_mistakes, unfit_values

if TYPE_CHECKING:
    from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "COMPILERS",
    "DEVICES",
    "PLATFORMS",
    "Dispatch",
    "Generate",
    "HelperRule",
    "Matrix",
    "OwnVariable",
    "Pipelines",
    "Project",
    "Row",
    "read_matrix",
    "read_pyproject",
]

COMPILERS = ("gcc", "clang", "msvc")
DEVICES = ("cpu", "cuda")
PLATFORMS = (
    "linux-x86_64",
    "linux-aarch64",
    "macos-x86_64",
    "macos-arm64",
    "windows-x86_64",
    "windows-arm64",
)


def _key(doc: str, **schema: Any) -> Any:
    """Declare a required key: its description and what else the JSON schema says of it."""
    return dataclasses.field(metadata={"doc": doc, "schema": schema})


def _optional(default: Any, doc: str, **schema: Any) -> Any:
    return dataclasses.field(default=default, metadata={"doc": doc, "schema": schema})


_NAME = {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """The project that the matrix belongs to."""

    distribution: str = _key(
        "What `pip install` asks for; classifier wheels are called <distribution>-<classifier>.", **_NAME
    )
    package: str = _key(
        "The import package; classifier wheels use <package>_<label>.", pattern="^[A-Za-z_][A-Za-z0-9_]*$"
    )
    base: str = _key("The classifier whose library lies in the base wheel.", **_NAME)
    environment: str = _key("Prefix of the environment variables.", pattern="^[A-Z][A-Z0-9_]*$")
    opener: str = _optional(
        "",
        'What opens a kernel library, as "module:function"; without it, the loader uses ctypes.',
        pattern="^([A-Za-z0-9_.]+:[A-Za-z0-9_]+)?$",
    )
    cpuid: str = _optional(
        "", 'The compiled CPUID reading, as "module:function".', pattern="^([A-Za-z0-9_.]+:[A-Za-z0-9_]+)?$"
    )
    exports: tuple[str, ...] = _optional((), "All symbols that a kernel library exports.", uniqueItems=True)
    self_test: str = _optional(
        "",
        'What `variantkit doctor` tests a loaded library with, as "module:function" (variantkit.selftest).',
        pattern="^([A-Za-z0-9_.]+:[A-Za-z0-9_]+)?$",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate:
    """Where generated files go, relative to classifiers.toml; what is left out is not written."""

    cmake: str = _optional("", "CMake variables: the flags of each classifier.")
    presets: str = _optional("", "CMakePresets.json with one preset per classifier.")
    catalogue: str = _optional("", "The Python module that the loader carries.")
    extras: str = _optional(
        "", "The pyproject.toml whose optional dependencies are written between two marker comments."
    )
    table: str = _optional("", "A Markdown page with the table of classifiers.")
    environment: str = _optional("", "A Markdown page with the environment variables.")
    installing: str = _optional(
        "", "A Markdown page whose marked blocks are ready-made lines, for the lowest classifier."
    )
    github: str = _optional("", "The folder of the GitHub workflows: .github/workflows.")
    gitlab: str = _optional("", "The GitLab pipeline, for a .gitlab-ci.yml to include.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pipelines:
    """What the generated pipelines cannot know: how they call a command, and what a release has beside classifiers."""

    command: str = _optional("variantkit {}", "How a command is called, with {} for its name.", pattern=r"\{\}")
    install: tuple[str, ...] = _optional(("variantkit[release]",), "What pip is told to install for that.", minItems=1)
    publisher: tuple[str, ...] = _optional(
        ("pypi-attestations", "twine"), "The same where GitLab publishes.", minItems=1
    )
    python: tuple[str, ...] = _optional(
        (), "ABIs of the base wheels; without it, all that are found.", uniqueItems=True
    )
    native: dict[str, str] = dataclasses.field(
        default_factory=dict,
        metadata={
            "doc": "Classifiers that not every runner of a code host can run, and the label (GitHub) or tag (GitLab) of a "
            "runner of yours that can: a job there installs and tests each, and fails where it does not run.",
            "schema": {},
        },
    )
    native_test: str = _optional("", "What is run there, a line for a shell, when the wheels are installed.")
    projects: tuple[str, ...] = _optional((), "Folders of pure Python projects of the same release.", uniqueItems=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dispatch:
    """Functions of a library of somebody else that asks the CPU before it calls them, so that they may need more."""

    library: str = _key('Its file name, a pattern: "libopenblas*.so*".', minLength=1)
    symbols: tuple[str, ...] = _key('The functions, patterns: ["*_SKYLAKEX"].', minItems=1, uniqueItems=True)
    features: tuple[str, ...] = _key(
        "What these may need beyond the features of the row; what they imply is understood.",
        items_enum=tuple(sorted(_features.KNOWN | _features.CODE_ONLY)),
        minItems=1,
        uniqueItems=True,
    )
    reason: str = _key("What is asked before they are called, and how that is known.", minLength=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnVariable:
    """An environment variable that only this project has; it is documented and given to the package's catalogue."""

    name: str = _key("Its name, which begins with the prefix.", pattern="^[A-Z][A-Z0-9_]*$")
    default: str = _optional("", "What holds where it is not set.")
    values: tuple[str, ...] = _key("What it may be set to.", minItems=1, uniqueItems=True)
    doc: str = _key("What it does, in a sentence.", minLength=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HelperRule:
    """Calls of an operator that a helper was measured to compute faster than the project's own code."""

    operator: str = _key("The operator, as the project calls it.", minLength=1)
    helper: str = _key("The helper, one of those in the rows.", minLength=1)
    dtypes: tuple[str, ...] = _key("The data types that it holds for.", minItems=1, uniqueItems=True)
    min_work: int = _optional(0, "The least work that it holds for, in multiply-adds.", minimum=0)
    max_work: int = _optional(0, "The most work that it holds for; 0 for any.", minimum=0)
    features: tuple[str, ...] = _optional(
        (), "CPU features that it holds for.", items_enum=tuple(sorted(_features.KNOWN)), uniqueItems=True
    )
    date: str = _key("When it was measured.", pattern=r"^\d{4}-\d{2}-\d{2}$")
    machine: str = _key("On what it was measured.", minLength=1)
    evidence: str = _key("The file with the measurements, relative to classifiers.toml.", minLength=1)
    reason: str = _key("What they say, in a sentence.", minLength=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One classifier."""

    name: str = _key('The classifier, "avx2".', **_NAME)
    summary: str = _key("Which machines it is for, in a few words.", minLength=1)
    device: str = _key("The kind of device that its kernels run on.", enum=DEVICES)
    rank: int = _key("Higher is better; a loader takes the highest it can run.", minimum=0)
    platforms: tuple[str, ...] = _key("Where it is published.", items_enum=PLATFORMS, minItems=1, uniqueItems=True)
    level: str = _key(
        "The level that the compiler flags ask for; those of x86-64 are the psABI's.",
        enum=tuple(sorted(_features.LEVELS)),
    )
    features: tuple[str, ...] = _key(
        "Every CPU feature it needs, in the spelling of /proc/cpuinfo; complete, with all that others imply.",
        items_enum=tuple(sorted(_features.KNOWN)),
        uniqueItems=True,
    )
    compile_flags: dict[str, tuple[str, ...]] = _key("Compiler flags, by compiler.", keys_enum=COMPILERS)
    link_flags: dict[str, tuple[str, ...]] = _key("Linker flags, by compiler.", keys_enum=COMPILERS)
    helpers: tuple[str, ...] = _key("Helper libraries that are compiled in.", uniqueItems=True)
    requires: tuple[str, ...] = _key("Requirements of its wheel, beyond the base distribution.", uniqueItems=True)
    size_budget_kib: int = _key("The largest its wheel may be, in KiB.", minimum=1)
    variant: dict[str, dict[str, tuple[str, ...]]] = _key("PEP 825 properties: {namespace: {feature: [values]}}.")
    needed: tuple[str, ...] = _optional(
        (), "The shared libraries that its library may need, patterns; without it, any.", uniqueItems=True
    )
    on_request: bool = _optional(
        False, "Whether only who asks for it gets it: nothing recommends it, and it is not in the extra `all`."
    )
    dispatch: tuple[Dispatch, ...] = _optional((), "What code that chooses at run time may need beyond the features.")

    @property
    def label(self) -> str:
        """The name as PEP 825 and Python packages can write it: `-` turned into `_`."""
        return self.name.replace("-", "_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matrix:
    """A whole classifiers.toml."""

    schema: int = _key("Version of this format.", const=1)
    project: Project = _key("The project that the matrix belongs to.")
    generate: Generate = _optional(Generate(), "Where generated files go.")
    pipelines: Pipelines = _optional(Pipelines(), "What the generated pipelines cannot know.")
    variable: tuple[OwnVariable, ...] = _optional((), "Environment variables of the project's own.")
    helper_rule: tuple[HelperRule, ...] = _optional((), "What helpers are used for where nobody says otherwise.")
    classifier: tuple[Row, ...] = _key("The classifiers.", minItems=1)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The classifiers, lowest rank first."""
        return tuple(sorted(self.classifier, key=lambda row: row.rank))

    def published(self, platform: str) -> tuple[Row, ...]:
        """Return the classifiers that are published for a platform, lowest rank first."""
        return tuple(row for row in self.rows if platform in row.platforms)

    @property
    def base(self) -> Row:
        """The classifier in the base wheel."""
        return self.row(self.project.base)

    def row(self, name: str) -> Row:
        """Return the classifier `name`; raise `MatrixError` with the known names when there is none."""
        for row in self.classifier:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in self.rows)
        msg = f'There is no classifier "{name}" in classifiers.toml. Choose one of: {known}.'
        raise MatrixError(msg)


def read_matrix(path: Path) -> Matrix:
    """Read and check `path`, or the classifiers.toml in the directory `path`.

    Raises `MatrixError`, whose message lists every mistake with its row, its key and what is allowed there.
    """
    path = path / "classifiers.toml" if path.is_dir() else path
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Run this in a project that has a classifiers.toml, or name it."
        raise MatrixError(msg) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # ValueError: TOMLDecodeError, UnicodeDecodeError, thousands of digits
        msg = f"{path} is not TOML: {error}. Mend it there."
        raise MatrixError(msg) from error
    mistakes = schema_mistakes(document)
    mistakes += [f"{place}: {what}" for place, what in unfit_values(document)]
    if not mistakes:
        matrix: Matrix = construct(Matrix, document)
        mistakes = contradictions(matrix)
    if mistakes:
        msg = f"{path.name} has {_count(len(mistakes), 'mistake')}:\n" + "\n".join(f"  - {line}" for line in mistakes)
        raise MatrixError(msg)
    return matrix


def read_pyproject(root: Path) -> dict[str, Any]:
    """Return the pyproject.toml in `root` as a dictionary; raise `MatrixError` when it cannot be read."""
    try:
        with (root / "pyproject.toml").open("rb") as file:
            table: dict[str, Any] = tomllib.load(file)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{root / 'pyproject.toml'} cannot be read: {error}. A project needs one beside its classifiers.toml."
        raise MatrixError(msg) from error
    return table


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
