"""classifiers.toml: what is accepted, and what each mistake is answered with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from variantkit import features, schema
from variantkit.errors import MatrixError
from variantkit.matrix import Matrix, read_matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Broken = Callable[[str, str], str]


@pytest.fixture(scope="module")
def matrix(root: Path) -> Matrix:
    return read_matrix(root)


@pytest.fixture
def broken(root: Path, tmp_path: Path) -> Broken:
    """Replace something once in the real file and return the message of the error."""

    def read(old: str, new: str) -> str:
        text = (root / "classifiers.toml").read_text()
        assert old in text
        path = tmp_path / "classifiers.toml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(MatrixError) as caught:
            read_matrix(path)
        return str(caught.value)

    return read


def test_the_rows_are_there_in_rank_order(matrix: Matrix) -> None:
    assert [row.name for row in matrix.rows] == [
        "generic", "onednn", "avx2", "onednn-avx2", "avx512", "onednn-avx512",
    ]  # fmt: skip
    assert matrix.base.name == "generic"


def test_each_row_is_exactly_its_level(matrix: Matrix) -> None:
    for row in matrix.rows:
        assert set(row.features) == features.LEVELS[row.level], row.name


def test_generic_asks_for_no_avx_and_nothing_above_sse2(matrix: Matrix) -> None:
    # numpy#31939: a baseline of x86-64-v2 fails on kvm64 and old QEMU models.
    assert set(matrix.base.features) == {"cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"}


def test_rows_are_immutable(matrix: Matrix) -> None:
    with pytest.raises(AttributeError):
        matrix.base.rank = 5  # type: ignore[misc]


def test_the_committed_schema_is_the_generated_one(root: Path) -> None:
    committed = root / "python" / "variantkit" / "classifiers.schema.json"
    assert committed.read_text() == schema.schema_text(), "run: python -m tools.matrix --write"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


_DISPATCH = """
[[classifier.dispatch]]
library = "libblas*.so"
symbols = ["*_haswell"]
features = ["avx2", "rdtscp"]
reason = "it asks CPUID once, when it is loaded"
"""


def test_dispatch_and_what_a_library_may_need(matrix: Matrix, root: Path, tmp_path: Path) -> None:
    text = (root / "classifiers.toml").read_text()
    before, mark, after = text.partition('variant = { x86_64 = { level = ["v3"] } }')
    (tmp_path / "classifiers.toml").write_text(before + mark + _DISPATCH + after)
    changed = read_matrix(tmp_path)
    assert matrix.row("avx2").dispatch == ()
    (table,) = changed.row("avx2").dispatch
    assert (table.library, table.symbols, table.features) == ("libblas*.so", ("*_haswell",), ("avx2", "rdtscp"))
    assert matrix.project.exports == ("ndkernels_open",)
    assert all("libc.so.6" in row.needed for row in matrix.rows)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "library",
            "libary",
            'row "avx2", key "dispatch.libary": unknown key; allowed are: features, library, reason,',
        ),
        ('"rdtscp"', '"rdtscq"', '"rdtscq" is not known (did you mean rdtscp?)'),
        ('"avx2", "rdtscp"', '"avx2"', 'row "avx2", key "dispatch": libblas*.so may need no more than the row has'),
        ("reason", "#", 'row "avx2", key "dispatch.reason": missing. Add it.'),
    ],
)
def test_mistakes_in_dispatch(broken: Broken, old: str, new: str, said: str) -> None:
    mark = 'variant = { x86_64 = { level = ["v3"] } }'
    assert said in broken(mark, mark + _DISPATCH.replace(old, new))


def test_variables_of_the_project(matrix: Matrix) -> None:
    names = [variable.name for variable in matrix.variable]
    assert names
    assert all(name.startswith(f"{matrix.project.environment}_") for name in names)
    assert all(variable.default in ("", *variable.values) for variable in matrix.variable)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "NDKERNELS_BLAS"', 'name = "BLAS"', 'variable "BLAS", key "name": it does not begin with NDKERNELS_'),
        (
            'name = "NDKERNELS_BLAS"',
            'name = "NDKERNELS_WARN"',
            'variable "NDKERNELS_WARN", key "name": every project has this variable already. Rename it.',
        ),
        ('default = "auto"', 'default = "on"', '"NDKERNELS_HELPERS", key "default": "on" is not one of its values'),
        ('["own", ', '["Own", ', 'variable "NDKERNELS_BLAS", key "values": "Own" has a capital'),
        ('values = ["own", "openblas", "mkl"]', "values = []", "values"),
        ('name = "NDKERNELS_BLAS"', 'name = "NDKERNELS_HELPERS"', 'variable "NDKERNELS_HELPERS" is there twice'),
    ],
)
def test_mistakes_in_variables(broken: Broken, old: str, new: str, said: str) -> None:
    assert said in broken(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'helper = "onednn"\ndtypes',
            'helper = "cudnn"\ndtypes',
            'helper-rule 1, key "helper": no row has "cudnn"; allowed are: onednn.',
        ),
        ("min-work = 2_097_152", "min-work = 9\nmax-work = 8", 'key "max-work": 8 is less than min-work, 9'),
        ('date = "2026-', 'date = "26-', "date"),
    ],
)
def test_mistakes_in_rules_for_helpers(broken: Broken, old: str, new: str, said: str) -> None:
    assert said in broken(old, new)


def test_unknown_key(broken: Broken) -> None:
    message = broken("rank = 20", "rnak = 20\nrank = 20")
    assert 'row "avx2", key "rnak": unknown key; allowed are: compile-flags, device, dispatch, features,' in message
    assert message.count("\n") == 1


def test_missing_key(broken: Broken) -> None:
    assert 'row "avx2", key "rank": missing' in broken("rank = 20\n", "")


def test_unknown_key_in_project(broken: Broken) -> None:
    assert '[project], key "bsae": unknown key; allowed are: base, cpuid,' in broken(
        'base = "generic"', 'bsae = "generic"'
    )


def test_unknown_feature_names_the_allowed_ones(broken: Broken) -> None:
    message = broken('"bmi2", "f16c"', '"bmi3", "f16c"')
    assert 'row "avx2", key "features": "bmi3" is not known (did you mean bmi2?); allowed are: ' in message
    assert all(name in message for name in ("avx512bw", "sse4_2", "movbe"))


def test_a_level_that_forgets_a_feature(broken: Broken) -> None:
    message = broken('"bmi2", "f16c"', '"f16c"')
    assert 'row "avx2", key "features": the level x86-64-v3 has "bmi2", which is missing' in message


def test_a_feature_without_what_it_implies(broken: Broken) -> None:
    message = broken('"abm", "avx", "avx2"', '"abm", "avx2"')
    assert 'row "avx2", key "features": "avx2" implies "avx", which is missing' in message


def test_two_rows_with_one_label(broken: Broken) -> None:
    message = broken('name = "avx512"', 'name = "avx2"')
    assert 'row "avx2", key "name": its label "avx2" is also that of "avx2"; labels must differ' in message


def test_two_rows_with_one_rank(broken: Broken) -> None:
    assert 'row "avx512", key "rank": 20 is also that of "avx2"' in broken("rank = 30", "rank = 20")


def test_an_underscore_in_a_name_is_refused_so_that_labels_stay_unique(broken: Broken) -> None:
    assert 'row "avx_2", key "name": "avx_2" does not match' in broken('name = "avx2"', 'name = "avx_2"')


def test_wrong_type(broken: Broken) -> None:
    assert 'row "avx512", key "rank": "30" should be of type integer' in broken("rank = 30", 'rank = "30"')


def test_unknown_platform(broken: Broken) -> None:
    message = broken('platforms = ["linux-x86_64"]', 'platforms = ["linux-amd64"]')
    assert 'row "generic", key "platforms": "linux-amd64" is not known' in message
    assert "linux-aarch64" in message


def test_unknown_compiler(broken: Broken) -> None:
    message = broken('compile-flags.gcc = ["-march=x86-64-v3"', 'compile-flags.icc = ["-march=x86-64-v3"')
    assert 'row "avx2", key "compile-flags": "icc" is not known' in message
    assert "gcc, clang, msvc" in message


def test_compile_flags_without_link_flags(broken: Broken) -> None:
    assert "only one of them has clang" in broken("link-flags.clang = []\n", "")


@pytest.mark.parametrize("name", ["base", "all"])
def test_names_that_mean_something_else(broken: Broken, name: str) -> None:
    message = broken('name = "avx2"', f'name = "{name}"')
    assert f'row "{name}", key "name": "{name}" ' in message
    assert "Choose another name" in message


def test_a_platform_of_another_architecture(broken: Broken) -> None:
    message = broken('platforms = ["linux-x86_64"]', 'platforms = ["linux-x86_64", "linux-aarch64"]')
    assert 'row "generic", key "platforms": aarch64 is no machine of the level x86-64' in message


@pytest.mark.parametrize(
    ("old", "new"),
    [("rank = 20", "rank = 20.0"), ('name = "avx2"', 'name = "avx2\\n"'), ('"Haswell, Zen 1', '"Haswell,\\nZen 1')],
)
def test_values_that_generated_files_cannot_hold(broken: Broken, old: str, new: str) -> None:
    assert "Write " in broken(old, new)


def test_an_arm_row_can_be_written(root: Path, tmp_path: Path) -> None:
    text = (root / "classifiers.toml").read_text()
    row = text.partition("[[classifier]]")[2].partition("[[classifier]]")[0]
    row = (
        row.replace('"generic"', '"neon"').replace('"linux-x86_64"', '"linux-aarch64"').replace('"x86-64"', '"armv8-a"')
    )
    start, end = row.index("features = ["), row.index("]", row.index("features = ["))
    row = row[:start] + 'features = ["asimd", "fp"' + row[end:]
    (tmp_path / "classifiers.toml").write_text(text + "\n[[classifier]]" + row.replace("rank = 0", "rank = 5"))
    assert [each.name for each in read_matrix(tmp_path).published("linux-aarch64")] == ["neon"]


def test_unknown_base(broken: Broken) -> None:
    message = broken('base = "generic"', 'base = "sse9"')
    assert '[project], key "base": there is no row "sse9"; allowed are: generic, onednn, avx2' in message


def test_a_base_that_is_not_the_lowest(broken: Broken) -> None:
    assert 'row "avx2", key "rank": the base runs everywhere' in broken('base = "generic"', 'base = "avx2"')


def test_another_version_of_the_format(broken: Broken) -> None:
    assert 'key "schema": 2 is not known; this version reads 1' in broken("schema = 1", "schema = 2")


def test_not_toml(broken: Broken) -> None:
    assert "is not TOML" in broken("[project]", "[project")


def test_all_mistakes_are_reported_at_once(root: Path, tmp_path: Path) -> None:
    text = (root / "classifiers.toml").read_text().replace("rank = 20", "rnak = 20").replace("rank = 30", 'rank = "x"')
    (tmp_path / "classifiers.toml").write_text(text)
    with pytest.raises(MatrixError, match="3 mistakes"):
        read_matrix(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match=r"cannot be read: No such file or directory\. Run this in a project"):
        read_matrix(tmp_path)


def test_no_such_row(matrix: Matrix) -> None:
    with pytest.raises(MatrixError, match="Choose one of: generic, onednn, avx2, onednn-avx2, avx512, onednn-avx512"):
        matrix.row("avx9")


def test_the_committed_schema_checks_the_file_for_editors(root: Path) -> None:
    committed = json.loads((root / "python" / "variantkit" / "classifiers.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(committed)
    assert not list(validator.iter_errors(tomllib.loads((root / "classifiers.toml").read_text())))
    assert list(validator.iter_errors({"schema": 1, "project": {}, "classifier": []}))
