"""Which base wheels are meant by what people write after --python."""

from __future__ import annotations

from pathlib import Path

import pytest

from variantkit import interpreters
from variantkit.errors import InterpreterNotFoundError
from variantkit.interpreters import Interpreter, abi_named, choose_interpreters


@pytest.mark.parametrize(
    ("api", "word", "abi"),
    [
        ("", "3.11", "cp311"),
        ("", "python3.11", "cp311"),
        ("", "3.14t", "cp314t"),
        ("cp312", "3.11", "cp311"),
        ("cp312", "3.13", "cp312-abi3"),
        ("cp312", "3.13t", "cp313t"),
        ("py3", "3.11", "py3-none"),
        ("", "cp311", "cp311"),
        ("", "3.11.4", "3.11.4"),
    ],
)
def test_a_version_is_as_good_as_a_tag(api: str, word: str, abi: str) -> None:
    assert abi_named(api, word) == abi


def test_interpreters_are_chosen_by_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.scikit-build]\nwheel.py-api = "cp312"\n')
    there = [Interpreter(executable=Path("p"), version=(3, minor), free_threaded=False) for minor in (10, 11, 12, 13)]
    monkeypatch.setattr(interpreters, "find_interpreters", lambda: there)
    assert choose_interpreters(tmp_path, ["3.11"]) == [there[1]]
    assert choose_interpreters(tmp_path, ["3.12", "3.13", "cp312-abi3", "cp310"]) == [there[2], there[0]]
    with pytest.raises(InterpreterNotFoundError, match=r"No Python for cp39, cp314t, 3\.x was found"):
        choose_interpreters(tmp_path, ["3.9", "3.14t", "3.x"])
