from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import variantkit
from hosts import HOSTS
from variantkit.errors import HostFileError
from variantkit.hostfile import read


def test_a_host_file_with_hexadecimal_leaves() -> None:
    recorded = read(HOSTS / "windows-broadwell.toml")
    assert recorded.cpuid is not None
    assert recorded.cpuid.leaves[7, 0] == (0, 0x021C27AB, 0, 0x9C000600)
    assert recorded.cpuid.xcr0 == 7


def test_python_310_without_tomli_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(HostFileError, match=r"haswell\.toml: .*pip install tomli$"):
        read(HOSTS / "haswell.toml")


def test_the_module_is_imported_without_a_parser_of_toml() -> None:
    code = "import sys; sys.modules.update(tomllib=None, tomli=None); import variantkit.hostfile"
    where = str(Path(variantkit.__file__ or "").parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"PYTHONPATH": where}
    )
    assert done.returncode == 0, done.stderr


HEAD = 'name = "x"\nsource = "y"\nsystem = "linux"\nmachine = "x86_64"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ('name = "x"\n', "machine: this has to be a text, and is missing"),
        (HEAD.replace('"y"', "3"), "source: this has to be a text, not 3"),
        (HEAD + "colour = 1\n", "colour: unknown key; allowed are name, source"),
        (HEAD + "kernel = 1\n", "kernel: this has to be a table"),
        (HEAD + "[kernel]\n", "kernel: give exactly one of flags, cpus, sysctl, present"),
        (HEAD + '[kernel]\nflags = ""\ncpus = [""]\n', "kernel: give exactly one of"),
        (HEAD + "[kernel]\nflags = 1\n", "kernel.flags: this has to be a text"),
        (HEAD + "[kernel]\ncpus = []\n", "kernel.cpus: this has to be a list of texts"),
        (HEAD + '[kernel]\npresent = ["fma"]\n', "kernel.present: 'fma' is not one of"),
        (HEAD + '[kernel]\nflag = ""\n', "kernel.flag: unknown key"),
        (HEAD + '[cpuid]\nxcr0 = "7"\n', "cpuid.xcr0: this has to be an integer"),
        (HEAD + "[cpuid]\n", "cpuid.vendor: this has to be a text, and is missing"),
        (HEAD + '[cpuid]\nvendor = "v"\nfeatures = "avx3"\n', "cpuid.features: 'avx3' is not"),
        (HEAD + '[cpuid.leaves]\n"7" = "0 0 0 0"\n', "cpuid.leaves: '7' has to be written"),
        (HEAD + '[cpuid.leaves]\n"7.0" = "0 0 0"\n', "cpuid.leaves: '7.0' has to be written"),
        (HEAD + '[cpuid.leaves]\n"7.0" = 3\n', "cpuid.leaves: '7.0' has to be written"),
    ],
)
def test_a_damaged_host_file_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HostFileError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
