"""Which helpers are in force: in the program, by the environment, and what is said where one cannot be used."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ndkernels
from blas_under_test import NAME
from environments import clean_environ
from kernel_library import installed_library
from ndkernels import _binding, _libraries
from ndkernels._helpers import wanted_by_environment
from variantkit.errors import SettingError
from variantkit.matrix import read_pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = _libraries.LIBRARIES[NAME]
WHO = "import ndkernels; e = ndkernels.explain('matmul', (2, 3), (3, 4)); print(e.implementation, e.reason, sep='|')"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = _binding.get_helpers()
    yield
    _binding.set_helpers(*before)


def run(code: str, *, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**clean_environ(), "NDKERNELS_WARN": "0", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def matmul_by() -> str:
    return ndkernels.explain("matmul", (2, 3), (3, 4)).implementation


# In the program.


def test_at_first_the_own_kernels_compute() -> None:
    who, reason = run(WHO).stdout.strip().split("|")
    assert who == ndkernels.show_config("dicts")["classifier"]
    assert reason == "helpers are auto, the default, and no measurement says that one is faster"


def test_what_is_asked_for_holds_at_once_and_until_something_else_is() -> None:
    ndkernels.helpers(NAME)
    assert matmul_by() == NAME
    ndkernels.helpers("off")
    assert matmul_by() == ndkernels.show_config("dicts")["classifier"]
    assert ndkernels.explain("matmul", (2, 3), (3, 4)).reason == "helpers are off by helpers('off')"


@pytest.mark.skipif(NAME == "openblas", reason="there is only one")
def test_several_are_asked_in_their_order() -> None:
    for first, second in (("openblas", NAME), (NAME, "openblas")):
        with ndkernels.helpers(first, second) as asked:
            assert repr(asked) == f"helpers({first!r}, {second!r})"
            assert matmul_by() == first
            left = ndkernels.explain("matmul", (2, 3), (3, 4), dtype="int8")
        assert left.reason == f"{first} does not take int8, and {second} does not take int8"


def test_a_with_statement_puts_back_what_was_before() -> None:
    before = _binding.get_helpers()
    with ndkernels.helpers(NAME) as outer:
        assert repr(outer) == f"helpers({NAME!r})"
        with ndkernels.helpers("off"):
            assert matmul_by() != NAME
            with ndkernels.helpers(NAME):
                assert matmul_by() == NAME
            assert matmul_by() != NAME
        assert matmul_by() == NAME
    assert _binding.get_helpers() == before


def test_an_exception_puts_it_back_too() -> None:
    ndkernels.helpers("off")
    with pytest.raises(ZeroDivisionError), ndkernels.helpers(NAME):
        raise ZeroDivisionError
    assert _binding.get_helpers() == (["off"], "helpers('off')")


def test_other_threads_see_it() -> None:
    seen: list[str] = []
    with ndkernels.helpers(NAME):
        thread = threading.Thread(target=lambda: seen.append(matmul_by()))
        thread.start()
        thread.join()
    assert seen == [NAME]


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ((), ValueError, "names: there is none; accepted are 'off' and 'auto' and 'onednn' and 'openblas' and 'mkl'"),
        (("atlas",), ValueError, "names: got 'atlas'; accepted are 'off' and"),
        ((NAME, "atlas"), ValueError, "names: got 'atlas'"),
        (("off", NAME), ValueError, "names: got 'off' and another one; it stands alone"),
        ((NAME, "auto"), ValueError, "names: got 'auto' and another one; it stands alone"),
        ((NAME, NAME), ValueError, f"names: got {NAME!r} more than once; each is asked once"),
        ((None,), TypeError, "names: got NoneType; accepted are"),
        (((NAME,),), TypeError, "names: got tuple; accepted are"),
    ],
)
def test_names_that_are_not_accepted(names: tuple[str, ...], error: type[Exception], message: str) -> None:
    before = _binding.get_helpers()
    with pytest.raises(error, match=re.escape(message)) as caught:
        ndkernels.helpers(*names)
    assert re.search(r"\. Pass [^.]+\.$", str(caught.value))
    assert _binding.get_helpers() == before


def test_the_binding_knows_only_what_was_opened() -> None:
    before = _binding.get_helpers()
    with pytest.raises(IndexError, match="atlas"):
        _binding.set_helpers(["atlas"], "a test")
    with pytest.raises(ValueError, match="no name"):
        _binding.set_helpers([], "a test")
    with pytest.raises(IndexError, match="atlas"):
        _binding.open_blas("atlas", "/tmp/libatlas.so", "1")  # noqa: S108 -- it is not there
    assert _binding.get_helpers() == before


def test_show_config_names_what_is_in_force_and_what_was_opened(capsys: pytest.CaptureFixture[str]) -> None:
    with ndkernels.helpers(NAME):
        config = ndkernels.show_config("dicts")
        ndkernels.show_config()
    assert config is not None
    found = _libraries.find_library(LIBRARY)
    assert config["helpers"]["in_force"] == [NAME]
    assert config["helpers"]["origin"] == f"helpers({NAME!r})"
    assert found.as_dict() in config["helpers"]["opened"]
    text = capsys.readouterr().out
    assert f"  helpers     {NAME} (helpers({NAME!r}))\n" in text
    assert f"  helper      {NAME} {found.version} at {found.path}\n" in text


# By the environment.


def test_import_opens_nothing_and_imports_nothing_more() -> None:
    code = (
        "import sys, ndkernels; from pathlib import Path; ndkernels.relu; "
        "loaded = [name for name in ('ndkernels._helpers', 'ndkernels._libraries', 'importlib.metadata') if name in sys.modules]; "
        "maps = Path('/proc/self/maps').read_text(); print(loaded, 'libscipy_openblas' in maps, 'libmkl' in maps)"
    )
    for variables in ({}, {"NDKERNELS_BLAS": "", "NDKERNELS_HELPERS": ""}):
        result = run(code, **variables)
        assert (result.stdout.strip(), result.stderr) == ("[] False False", "")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"NDKERNELS_BLAS": NAME}, "forced by NDKERNELS_BLAS"),
        ({"NDKERNELS_HELPERS": NAME}, "forced by NDKERNELS_HELPERS"),
        ({"NDKERNELS_BLAS": NAME.upper(), "NDKERNELS_HELPERS": "auto"}, "forced by NDKERNELS_BLAS"),
        ({"NDKERNELS_HELPERS": "off"}, "helpers are off by NDKERNELS_HELPERS"),
        ({"NDKERNELS_HELPERS": "auto"}, "helpers are auto by NDKERNELS_HELPERS, and no measurement says"),
        ({"NDKERNELS_BLAS": " own "}, "helpers are off by NDKERNELS_BLAS=own"),
    ],
)
def test_the_environment_says_who_computes(variables: dict[str, str], reason: str) -> None:
    result = run(WHO, **variables)
    assert result.stderr == ""
    who, said = result.stdout.strip().split("|")
    assert said.startswith(reason)
    assert (who == NAME) == reason.startswith("forced")


@pytest.mark.parametrize(
    ("helpers", "blas", "expected"),
    [
        ("", "", ((), "")),
        (" ", " ", ((), "")),
        ("off", "own", (("off",), "NDKERNELS_BLAS=own")),
        ("mkl", "mkl", (("mkl",), "NDKERNELS_BLAS")),
        ("", "own", (("off",), "NDKERNELS_BLAS=own")),
        ("auto", "own", (("off",), "NDKERNELS_BLAS=own")),
    ],
)
def test_two_variables_that_agree(helpers: str, blas: str, expected: tuple[tuple[str, ...], str]) -> None:
    assert wanted_by_environment({"NDKERNELS_HELPERS": helpers, "NDKERNELS_BLAS": blas}) == expected


@pytest.mark.parametrize(
    ("helpers", "blas", "advice"),
    [
        ("off", "mkl", "set NDKERNELS_BLAS=own"),
        ("openblas", "mkl", "set them to the same"),
        ("mkl", "openblas", "set them to the same"),
        ("mkl", "own", "set NDKERNELS_HELPERS=off"),
        ("openblas", "own", "set NDKERNELS_HELPERS=off"),
    ],
)
def test_two_variables_that_contradict_each_other_are_both_named(helpers: str, blas: str, advice: str) -> None:
    environ = {"NDKERNELS_HELPERS": helpers, "NDKERNELS_BLAS": blas}
    message = f"NDKERNELS_HELPERS='{helpers}' and NDKERNELS_BLAS='{blas}' contradict each other; {advice}, or unset one"
    with pytest.raises(SettingError, match=re.escape(message)):
        wanted_by_environment(environ)
    variable, _, value = advice.partition("set ")[2].partition("=")
    if value:
        assert wanted_by_environment({**environ, variable: value})  # it is possible, and no contradiction


def test_a_value_that_is_not_allowed_stops_the_import() -> None:
    result = run("import ndkernels", NDKERNELS_BLAS="atlas")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "variantkit.errors.SettingError: NDKERNELS_BLAS='atlas' is not allowed; "
        "set it to own or openblas or mkl, or unset it"
    )


# What cannot be used.


def as_installed(folder: Path, version: str, files: dict[str, bytes], *, distribution: str = "gizmo-blas") -> Path:
    """Write what an installer would leave of a distribution."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", "utf-8")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files), "utf-8")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


GIZMO = LIBRARY.replace(
    distribution="gizmo-blas", file="libgizmo.so", least="1.2", below="2", opens=r"libgizmo_core\.so"
)


def refusal(error: type[ndkernels.HelperError], folder: Path) -> str:
    with pytest.raises(error) as caught:
        _libraries.find_library(GIZMO, [str(folder)])
    assert type(caught.value) is error
    assert isinstance(caught.value, ImportError)
    message = str(caught.value)
    for part in (NAME, "gizmo-blas", "wanted is gizmo-blas>=1.2,<2", ". Run: "):
        assert part in message
    return message


def test_one_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    message = refusal(ndkernels.HelperNotInstalledError, tmp_path)
    assert "gizmo-blas is not installed" in message
    assert re.search(rf' install (.* )?"ndkernels\[{NAME}\]"$', message)


@pytest.mark.parametrize(
    ("installer", "command"),
    [
        ("uv", f'uv pip install --python .* "ndkernels\\[{NAME}\\]"'),
        ("conda", '.* -m pip install "gizmo-blas>=1.2,<2"'),
    ],
)
def test_the_command_is_that_of_the_installer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str, command: str
) -> None:
    for module in ("ndkernels._libraries", "variantkit.installer"):
        monkeypatch.setattr(importlib.import_module(module), "installer_name", lambda _: installer)
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    assert re.search(f"Run: {command}$", refusal(ndkernels.HelperNotInstalledError, tmp_path))


@pytest.mark.parametrize("version", ["1.1", "1.1.99", "1", "2", "2.0.1", "10.0", "0.1.2"])
def test_another_version_is_refused(tmp_path: Path, version: str) -> None:
    folder = as_installed(tmp_path, version, {"libgizmo.so": b""})
    message = refusal(ndkernels.HelperVersionError, folder)
    assert f"gizmo-blas {version} is installed" in message
    assert re.search(rf' install (.* )?"ndkernels\[{NAME}\]"$', message)


@pytest.mark.parametrize("version", ["1.2", "1.2.0.post3", "1.10", "1.999.0.1"])
def test_versions_in_between_are_taken(tmp_path: Path, version: str) -> None:
    folder = as_installed(tmp_path, version, {"gizmo/lib/libgizmo.so.3": b"", "gizmo/__init__.py": b""})
    found = _libraries.find_library(GIZMO, [str(folder)])
    assert (found.name, found.version, found.path) == (NAME, version, str(tmp_path / "gizmo/lib/libgizmo.so.3"))


@pytest.mark.parametrize(
    ("files", "gone", "why"),
    [
        ({}, "RECORD", "its record names no libgizmo.so"),
        ({"gizmo/__init__.py": b""}, "", "its record names no libgizmo.so"),
        ({"libgizmo.so": b"", "libgizmo_core.so.3": b""}, "libgizmo_core.so.3", "libgizmo_core.so.3 is missing"),
        ({"libgizmo.so": b"", "libgizmo_core.so.3": b""}, "libgizmo.so", "libgizmo.so is missing"),
    ],
)
def test_a_damaged_one_names_what_mends_it(tmp_path: Path, files: dict[str, bytes], gone: str, why: str) -> None:
    folder = as_installed(tmp_path, "1.3", files)
    if gone:
        next(folder.rglob(gone)).unlink()
    message = refusal(ndkernels.HelperError, folder)
    assert why in message
    assert re.search(r" install .* --no-deps gizmo-blas==1\.3$", message)


@pytest.mark.parametrize("metadata", [None, "", "Name: gizmo-blas\n\nVersion: 1.3\n"])
def test_one_without_a_version_names_what_mends_it(tmp_path: Path, metadata: str | None) -> None:
    folder = as_installed(tmp_path, "1.3", {"libgizmo.so": b""})
    file = folder / "gizmo_blas-1.3.dist-info" / "METADATA"
    file.unlink()
    if metadata is not None:
        file.write_text(metadata, "utf-8")
    message = refusal(ndkernels.HelperError, folder)
    assert "gizmo-blas cannot be used" in message
    assert "its METADATA names no version" in message
    assert re.search(r' install .* --no-deps "gizmo-blas>=1\.2,<2"$', message)


def test_what_it_does_not_open_may_be_missing(tmp_path: Path) -> None:
    files = ("libgizmo.so.3", "libgizmo_core.so.3", "libgizmo_cluster.so.3", "libgizmo a,b.so")
    folder = as_installed(tmp_path, "1.3", dict.fromkeys(files, b""))
    record = folder / "gizmo_blas-1.3.dist-info" / "RECORD"
    record.write_text(record.read_text("utf-8").replace("libgizmo a,b.so", '"libgizmo a,b.so"'), "utf-8")
    for name in files[2:]:
        (folder / name).unlink()
    assert _libraries.find_library(GIZMO, [str(folder)]).path == str(folder / files[0])


def test_what_mkl_opens() -> None:
    opens = re.compile(_libraries.LIBRARIES["mkl"].opens)
    for name in ("core", "intel_lp64", "intel_ilp64", "intel_thread", "sequential", "def", "avx2", "avx512", "avx10"):
        assert opens.match(f"libmkl_{name}.so.3")
    for name in ("blacs_intelmpi_lp64", "cdft_core", "scalapack_lp64", "gnu_thread", "tbb_thread", "vml_avx2"):
        assert not opens.match(f"libmkl_{name}.so.2")


@pytest.mark.parametrize(
    ("system", "machine", "library", "where"),
    [
        ("Darwin", "arm64", "openblas", "Linux"),
        ("Windows", "AMD64", "mkl", "Linux on x86_64"),
        ("Linux", "aarch64", "mkl", "Linux on x86_64"),
    ],
)
def test_a_platform_that_it_is_not_for(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, library: str, where: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(ndkernels.HelperError) as caught:
        _libraries.find_library(_libraries.LIBRARIES[library])
    assert str(caught.value) == (
        f"{library} is asked for, and can be used on {where}; this is {system} on {machine}. "
        "Set NDKERNELS_BLAS=own, or pass 'off' to helpers()."
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_pip_must_not_overwrite_the_mkl_of_conda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    if damaged:
        as_installed(tmp_path, "1.3", {})
    library = GIZMO.replace(name="mkl", machines=())
    with pytest.raises(ndkernels.HelperError) as caught:
        _libraries.find_library(library, [str(tmp_path)])
    assert str(caught.value).endswith(
        "In an environment of conda, pip would overwrite the files of conda's own mkl with it. "
        "Ask for openblas in place of it, or make a virtual environment for it: python -m venv FOLDER"
    )
    with pytest.raises(ndkernels.HelperError, match=r"\. Run: "):
        _libraries.find_library(library.replace(name="openblas"), [str(tmp_path)])


@pytest.mark.parametrize("damage", ["text", "cut short", "another library"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, damage: str) -> None:
    good = Path(_libraries.find_library(LIBRARY).path)
    content = {
        "text": b"hello",
        "cut short": good.read_bytes()[: good.stat().st_size // 2],
        "another library": installed_library().read_bytes(),
    }[damage]
    folder = as_installed(tmp_path, "1.3", {"libgizmo.so": content})
    # In a process of its own: one name is opened once.
    code = f"""
import sys, ndkernels, ndkernels._libraries as libraries
sys.path.append({str(folder)!r})
known = libraries.LIBRARIES[{NAME!r}]
libraries.LIBRARIES[{NAME!r}] = known.replace(distribution="gizmo-blas", file="libgizmo.so", least="1", below="2")
for _ in range(2):
    try:
        ndkernels.helpers({NAME!r})
    except ndkernels.HelperError as error:
        print(error)
print(ndkernels.explain("matmul", (2, 3), (3, 4)).helper)
libraries.LIBRARIES[{NAME!r}] = known
ndkernels.helpers({NAME!r})
print(ndkernels.explain("matmul", (2, 3), (3, 4)).helper)
"""
    result = run(code)
    assert result.stderr == ""
    *messages, before, after = result.stdout.splitlines()
    assert len(set(messages)) == 1
    assert f"its library could not be opened: {folder / 'libgizmo.so'}: " in messages[0]
    assert messages[0].endswith(" --no-deps gizmo-blas==1.3")
    assert (before, after) == ("False", "True")


def test_nothing_is_found_in_the_current_directory(tmp_path: Path) -> None:
    as_installed(tmp_path, "1.3", {"libgizmo.so": b"planted"})
    code = f"""
from importlib import metadata
import ndkernels._libraries as libraries
print(metadata.version("gizmo-blas"))
try:
    libraries.find_library(libraries.LIBRARIES[{NAME!r}].replace(distribution="gizmo-blas"))
except libraries.HelperNotInstalledError:
    print("not found")
"""
    result = run(code, folder=tmp_path)
    assert (result.stdout.split("\n", 1), result.stderr) == (["1.3", "not found\n"], "")


def test_an_import_that_asks_for_what_is_not_there_says_so() -> None:
    """The whole message is what a user sees."""
    code = """
from importlib import metadata
metadata.distributions = lambda **_: iter(())
import ndkernels
"""
    result = run(code, NDKERNELS_BLAS=NAME)
    assert result.returncode == 1
    wanted = f"{LIBRARY.distribution} is not installed; wanted is {LIBRARY.requirement}"
    message = f"variantkit.errors.HelperNotInstalledError: {NAME} is asked for, and {wanted}. Run: "
    assert re.fullmatch(rf'{re.escape(message)}.* install (.* )?"ndkernels\[{NAME}\]"', result.stderr.splitlines()[-1])


def test_the_extras_ask_for_what_is_opened(root: Path) -> None:
    extras = read_pyproject(root)["project"]["optional-dependencies"]
    for name, library in _libraries.LIBRARIES.items():
        if library.compiled:  # which rows of the matrix require: tests/onednn
            continue
        (line,) = extras[name]
        assert line.partition(";")[0] == library.requirement


# After fork, and at the end.


def in_child(expected: bytes, a: np.ndarray) -> int:
    """Fork, compute in the child, and return its exit status; the child is killed after 20 seconds."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        os._exit(0 if ndkernels.matmul(a, a).tobytes() == expected else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_computes() -> None:
    a = np.random.default_rng(0).integers(-8, 9, (300, 300)).astype("float64")
    expected = (a @ a).tobytes()
    before = ndkernels.get_num_threads()
    ndkernels.set_num_threads(4)
    try:
        with ndkernels.helpers(NAME):
            assert ndkernels.matmul(a, a).tobytes() == expected  # its threads exist now; the child has none of them
            assert [in_child(expected, a) for _ in range(3)] == [0, 0, 0]
            assert ndkernels.matmul(a, a).tobytes() == expected
    finally:
        ndkernels.set_num_threads(before)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_waits_for_those_that_compute() -> None:
    """OpenBLAS ended threads that another thread was waiting for, so that parent and child hung."""
    a = np.random.default_rng(0).integers(-8, 9, (200, 200)).astype("float64")
    expected = (a @ a).tobytes()
    before = ndkernels.get_num_threads()
    ndkernels.set_num_threads(4)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            ndkernels.matmul(a, a)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
    try:
        with ndkernels.helpers(NAME):
            for thread in threads:
                thread.start()
            assert [in_child(expected, a) for _ in range(5)] == [0] * 5
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
        ndkernels.set_num_threads(before)
    assert not any(thread.is_alive() for thread in threads)


def test_the_process_ends_while_it_computes() -> None:
    code = f"""
import threading, time, numpy as np, ndkernels
ndkernels.helpers({NAME!r})
a = np.ones((600, 600))
def forever():
    while True:
        ndkernels.matmul(a, a)
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.2)
print("end", flush=True)
"""
    result = run(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")


def test_doctor_tests_the_kernels_and_not_the_helper() -> None:
    """A setting must not make it test another library, nor call an installed classifier broken."""
    code = """
import os
from variantkit.doctor import child
sent = []
child._self_test("ndkernels", "generic", lambda **fields: sent.append(fields))
import ndkernels
print(any("error" in each for each in sent), sent[-1].get("done"), ndkernels.explain("matmul", (2, 3), (3, 4)).implementation)
"""
    result = run(code, NDKERNELS_BLAS=NAME)
    assert (result.stdout.strip(), result.stderr) == ("False True generic", "")
