"""Everything that is written from classifiers.toml: CMake flags and presets, catalogue, extras, documentation, pipelines.

The files are committed, so that a checkout can be built and read without this package; `drift` says which of them no
longer say what the matrix says, and a project's tests call it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from variantkit import ci_github, ci_gitlab, environment
from variantkit.errors import MatrixError
from variantkit.files import write_atomically
from variantkit.matrix import read_matrix, read_pyproject
from variantkit.requirement_page import refresh

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.matrix import HelperRule, Matrix, OwnVariable, Row

__all__ = ["catalogue", "drift", "extras", "render", "row_digest", "write"]

_COMMAND = "python -m variantkit matrix --write"
_BEGIN = "# begin generated: extras"
_END = "# end generated: extras"

# How CMake calls the compilers (CMAKE_CXX_COMPILER_ID, upper case).
_CMAKE_COMPILERS = {"gcc": "GNU", "clang": "CLANG", "msvc": "MSVC"}

_MARKERS = {
    "linux": "sys_platform == 'linux'",
    "macos": "sys_platform == 'darwin'",
    "windows": "sys_platform == 'win32'",
}
_MACHINES = {("windows", "x86_64"): "AMD64", ("windows", "arm64"): "ARM64"}


def render(root: Path) -> dict[Path, str]:
    """Return the text of every generated file of the project in `root`, by path.

    Raises `MatrixError` when classifiers.toml or pyproject.toml is wrong.
    """
    matrix = read_matrix(root)
    version = read_pyproject(root)["project"]["version"]
    wanted = matrix.generate
    files: dict[Path, str] = {}
    if wanted.cmake:
        files[root / wanted.cmake] = _cmake(matrix, version)
    if wanted.presets:
        files[root / wanted.presets] = _presets(matrix)
    if wanted.catalogue:
        files[root / wanted.catalogue] = catalogue(matrix, version)
    if wanted.extras:
        files[root / wanted.extras] = _with_extras(root / wanted.extras, extras(matrix, version))
    if wanted.table:
        files[root / wanted.table] = _table(matrix)
    if wanted.environment:
        project, own = matrix.project, [_variable(each) for each in matrix.variable]
        files[root / wanted.environment] = environment.markdown(project.environment, project.distribution, more=own)
    if wanted.installing:
        files[root / wanted.installing] = _with_lines(root / wanted.installing, matrix, version)
    if wanted.github:
        files |= ci_github.workflows(matrix, root / wanted.github)
    if wanted.gitlab:
        files[root / wanted.gitlab] = ci_gitlab.pipeline(matrix)
    return files


def write(root: Path) -> list[Path]:
    """Write the generated files that are missing or have drifted; return them."""
    return [path for path, text in render(root).items() if write_atomically(path, text)]


def drift(root: Path) -> list[Path]:
    """Return the generated files that do not say what the matrix says."""
    return [
        path for path, text in render(root).items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def extras(matrix: Matrix, version: str) -> dict[str, list[str]]:
    """Return the optional dependencies of the base distribution: one per classifier wheel, and `all` without those on request.

    The pins are equal to `version`, and each requirement holds only where the classifier is published, so that an extra
    asks for nothing on other platforms instead of failing there.
    """
    rows = [row for row in matrix.rows if row.name != matrix.project.base]
    table = {row.name: [f"{matrix.project.distribution}-{row.name}=={version}; {_marker(row)}"] for row in rows}
    table["all"] = [
        requirement for row in rows if row.device == "cpu" and not row.on_request for requirement in table[row.name]
    ]
    return table


def row_digest(row: Row) -> str:
    """Return a short hash of all that a row says about its library; a MANIFEST carries it as `Row`."""
    facts = (
        row.name, row.device, row.level, sorted(row.features), row.helpers, sorted(row.compile_flags.items()),
        sorted(row.link_flags.items()), sorted(row.variant.items()),
    )  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _marker(row: Row) -> str:
    parts = []
    for platform in row.platforms:
        system, machine = platform.split("-", 1)
        parts.append(f"{_MARKERS[system]} and platform_machine == '{_MACHINES.get((system, machine), machine)}'")
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _with_extras(path: Path, table: dict[str, list[str]]) -> str:
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        msg = f'{path.name} has no "{_BEGIN}" and "{_END}" comments. Add these two lines where the extras should stand.'
        raise MatrixError(msg)
    lines = [f"{_BEGIN} ({_COMMAND})", "[project.optional-dependencies]"]
    for name, requirements in table.items():
        if len(requirements) == 1:
            lines.append(f'{name} = ["{requirements[0]}"]')
        else:
            lines += [f"{name} = [", *(f'    "{requirement}",' for requirement in requirements), "]"]
    return before + "\n".join(lines) + "\n" + end + after


def _with_lines(path: Path, matrix: Matrix, version: str) -> str:
    """Return the page at `path` with its ready-made lines for the lowest classifier that has a wheel of its own."""
    extra = next((row.name for row in matrix.rows if row != matrix.base and not row.on_request), "none")
    text = path.read_text(encoding="utf-8")
    return refresh(text, distribution=matrix.project.distribution, version=version, extra=extra)


def _cmake(matrix: Matrix, version: str) -> str:
    project = matrix.project
    lines = [
        f"# Generated from classifiers.toml by `{_COMMAND}`; do not edit.",
        f'set(VARIANTKIT_DISTRIBUTION "{project.distribution}")',
        f'set(VARIANTKIT_PACKAGE "{project.package}")',
        f'set(VARIANTKIT_VERSION "{version}")',
        f'set(VARIANTKIT_BASE "{project.base}")',
        f"set(VARIANTKIT_CLASSIFIERS {' '.join(row.name for row in matrix.rows)})",
    ]
    for row in matrix.rows:
        lines += ["", f"# {row.name}: {row.summary}", f'set(VARIANTKIT_{row.name}_LABEL "{row.label}")']
        lines.append(f'set(VARIANTKIT_{row.name}_ROW "{row_digest(row)}")')
        if row.helpers:
            lines.append(f"set(VARIANTKIT_{row.name}_HELPERS {' '.join(row.helpers)})")
        for kind, flags in (("COMPILE", row.compile_flags), ("LINK", row.link_flags)):
            for compiler, words in flags.items():
                name = f"VARIANTKIT_{row.name}_{kind}_FLAGS_{_CMAKE_COMPILERS[compiler]}"
                lines.append(f"set({' '.join([name, *map(_quoted, words or [''])])})")
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    """Return a CMake quoted argument (https://cmake.org/cmake/help/latest/manual/cmake-language.7.html#quoted-argument)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _presets(matrix: Matrix) -> str:
    presets = [
        {
            "name": row.name,
            "displayName": f"{row.name}: {row.summary}",
            "generator": "Ninja",
            "binaryDir": "${sourceDir}/../build/presets/${presetName}",
            "cacheVariables": {
                "CMAKE_BUILD_TYPE": "Release",
                "CMAKE_COMPILE_WARNING_AS_ERROR": "ON",
                "CMAKE_EXPORT_COMPILE_COMMANDS": "ON",
                "VARIANTKIT_WHEEL": row.name,
            },
        }
        for row in matrix.rows
    ]
    document = {
        "version": 6,
        "vendor": {"variantkit": {"generated": f"from classifiers.toml by `{_COMMAND}`; do not edit"}},
        "configurePresets": presets,
        "buildPresets": [{"name": row.name, "configurePreset": row.name} for row in matrix.rows],
    }
    return json.dumps(document, indent=2) + "\n"


def catalogue(matrix: Matrix, version: str) -> str:
    """Return the module that the loader carries."""
    project = matrix.project
    lines = [
        f'"""The classifiers of {project.distribution} {version}: what the loader can choose from.',
        "",
        f"Generated from classifiers.toml by `{_COMMAND}`; do not edit.",
        '"""',
        "",
        f"from variantkit.catalogue import Catalogue, Classifier{', HelperRule' if matrix.helper_rule else ''}",
        *(["from variantkit.environment import Variable"] if matrix.variable else []),
        "",
        '__all__ = ["CATALOGUE"]',
        "",
        "CATALOGUE = Catalogue(",
        f'    distribution="{project.distribution}",',
        f'    package="{project.package}",',
        f'    version="{version}",',
        f'    base="{project.base}",',
        f'    prefix="{project.environment}",',
        f'    cpuid="{project.cpuid}",',
        f'    opener="{project.opener}",',
        *([f'    self_test="{project.self_test}",'] if project.self_test else []),
    ]
    if matrix.variable:
        lines += ["    variables=(", *(line for each in matrix.variable for line in _variable_lines(each)), "    ),"]
    if matrix.helper_rule:
        lines += ["    rules=(", *(line for each in matrix.helper_rule for line in _rule_lines(each)), "    ),"]
    lines += ["    classifiers=("]
    for row in matrix.rows:
        platforms = "".join(f'"{platform}", ' for platform in row.platforms).rstrip(" ")
        lines += [
            "        Classifier(",
            f'            name="{row.name}",',
            f"            summary={_string(row.summary)},",
            f"            rank={row.rank},",
            f'            device="{row.device}",',
            f"            platforms=({platforms if len(row.platforms) == 1 else platforms.rstrip(',')}),",
            f'            level="{row.level}",',
            "            features=frozenset(",
            "                {",
            *(f'                    "{feature}",' for feature in sorted(row.features)),
            "                }",
            "            ),",
            *([f"            helpers={row.helpers!r},".replace("'", '"')] if row.helpers else []),
            *(["            on_request=True,"] if row.on_request else []),
            "        ),",
        ]
    return "\n".join([*lines, "    ),", ")"]) + "\n"


def _rule_lines(rule: HelperRule) -> list[str]:
    dtypes = ", ".join(map(_string, rule.dtypes))
    features = ", ".join(map(_string, sorted(rule.features)))
    return [
        "        HelperRule(",
        f"            operator={_string(rule.operator)},",
        f"            helper={_string(rule.helper)},",
        f"            dtypes=({dtypes}{',' if len(rule.dtypes) == 1 else ''}),",
        *([f"            min_work={rule.min_work},"] if rule.min_work else []),
        *([f"            max_work={rule.max_work},"] if rule.max_work else []),
        *([f"            features=frozenset({{{features}}}),"] if features else []),
        f"            date={_string(rule.date)},",
        f"            evidence={_string(rule.evidence)},",
        "        ),",
    ]


def _variable(own: OwnVariable) -> environment.Variable:
    *others, last = (f"`{value}`" for value in own.values)
    accepts = f"{', '.join(others)} or {last}" if others else last
    return environment.Variable(name=own.name, default=own.default, values=own.values, accepts=accepts, doc=own.doc)


def _variable_lines(own: OwnVariable) -> list[str]:
    values = ", ".join(_string(value) for value in own.values)
    variable = _variable(own)
    return [
        "        Variable(",
        f'            name="{own.name}",',
        f"            default={_string(own.default)},",
        f"            values=({values}{',' if len(own.values) == 1 else ''}),",
        f"            accepts={_string(variable.accepts)},",
        f"            doc={_string(own.doc)},",
        "        ),",
    ]


def _string(text: str) -> str:
    # Escapes as in Python, but for letters beyond U+FFFF, which JSON writes as two halves.
    return json.dumps(text, ensure_ascii=False)


def _table(matrix: Matrix) -> str:
    project = matrix.project
    lines = [
        f"<!-- Generated from classifiers.toml by `{_COMMAND}`; do not edit. -->",
        f"# Classifiers of {project.distribution}",
        "",
        "Each classifier is one build of the same kernels. The loader takes the highest rank that is installed and that the",
        f"machine can run. `{project.base}` is in the base wheel and is always there.",
        "",
        "| classifier | rank | for | level | platforms | install |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in matrix.rows:
        target = project.distribution if row.name == project.base else f'"{project.distribution}[{row.name}]"'
        lines.append(
            f"| `{row.name}` | {row.rank} | {row.summary} | {row.level} | {', '.join(row.platforms)} "
            f"| `python -m pip install {target}` |"
        )
    lines += ["", "What each needs of the CPU, beyond the one before it, in the names of `/proc/cpuinfo`:", ""]
    before: set[str] = set()
    for row in matrix.rows:
        more = " ".join(f"`{feature}`" for feature in row.features if feature not in before)
        lines.append(f"* `{row.name}`: {more or 'no others'}")
        before |= set(row.features)
    lines += ["", "Compiler flags:", "", "| classifier | compiler | compile | link |", "| --- | --- | --- | --- |"]
    for row in matrix.rows:
        for compiler, flags in row.compile_flags.items():
            link = " ".join(row.link_flags[compiler])
            lines.append(f"| `{row.name}` | {compiler} | `{' '.join(flags)}` | {f'`{link}`' if link else ''} |")
    return "\n".join(lines) + "\n"
