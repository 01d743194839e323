"""Installed wheels in threads, processes, interpreters and archives: they load, or say clearly why they do not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipapp
import zipfile
from pathlib import Path

import pytest

from environments import Environment, uv
from hosts import CATALOGUE, host
from variantkit.environment import Settings
from variantkit.errors import NoUsableClassifierError
from variantkit.interpreters import Interpreter, find_interpreters
from variantkit.loader import resolve

pytestmark = pytest.mark.wheels

SHOW = """
import json, ndkernels, numpy
ones = numpy.ones((9, 9), "f4")
print(json.dumps([ndkernels.show_config("dicts")["classifier"], float(ndkernels.sum(ndkernels.matmul(ones, ones)))]))
"""

THREADS = """
import json, sys, threading, warnings
sys.setswitchinterval(1e-6)
count, results, errors = 32, [], []
barrier = threading.Barrier(count)

def work(number):
    barrier.wait()
    try:
        if number % 2:
            from variantkit import loader
            loaded = loader.load("ndkernels")
        import ndkernels, numpy
        from variantkit import loader
        ones = numpy.ones((65, 65), "f4")
        total = float(ndkernels.sum(ndkernels.matmul(ones, ones)))
        results.append((id(loader.load("ndkernels")), ndkernels.show_config("dicts")["classifier"], total))
    except BaseException as error:
        errors.append(repr(error))

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
with open("/proc/self/maps") as maps:
    libraries = {line.split()[-1] for line in maps if "/libndkernels_" in line}
print(json.dumps({"results": results, "errors": errors, "libraries": sorted(libraries),
                  "warnings": [warning.category.__name__ for warning in caught]}))
"""

PROCESSES = """
import json, multiprocessing, sys

def work(number):
    import ndkernels, numpy
    ones = numpy.ones((300, 300), "f4")
    return [ndkernels.show_config("dicts")["classifier"], float(ndkernels.sum(ndkernels.matmul(ones, ones)))]

if __name__ == "__main__":
    if sys.argv[2] == "after":
        work(0)
    with multiprocessing.get_context(sys.argv[1]).Pool(4) as pool:
        print(json.dumps(pool.map(work, range(8), chunksize=1)))
"""

# "m" is the main interpreter, "s" a new one that shares its GIL, "d" the same and ended at once, "i" an isolated one.
INTERPRETERS = """
import json, os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = '''
import json, os, warnings
warnings.simplefilter("ignore")
try:
    import array, ndkernels
    a = array.array("f", [1, 2, 3])
    said = ["", float(ndkernels.sum(ndkernels.add(a, a)))]
except BaseException as error:
    said = [type(error).__name__, str(error)]
os.write(1, json.dumps(said).encode() + b"\\\\n")
'''

def create(kind):
    if sys.version_info >= (3, 13):
        return interpreters.create("isolated" if kind == "i" else "legacy")
    return interpreters.create(isolated=kind == "i") if sys.version_info >= (3, 12) else interpreters.create(isolated=False)

for kind in sys.argv[1]:
    if kind == "m":
        exec(CODE)
    else:
        interpreter = create(kind)
        interpreters.run_string(interpreter, CODE)
        if kind != "s":
            interpreters.destroy(interpreter)
"""

FOUND = [each for each in find_interpreters() if each.version >= (3, 10) and not each.free_threaded]


def native(environment: Environment) -> str:
    """The classifier that this machine loads."""
    classifier: str = environment.json(SHOW)[0]
    return classifier


def test_32_threads_import_at_once(environment_of_all: Environment) -> None:
    for attempt in range(3):
        found = environment_of_all.json(THREADS)
        assert found["errors"] == []
        assert len(found["results"]) == 32
        assert {tuple(each[1:]) for each in found["results"]} == {(native(environment_of_all), 65.0**3)}, attempt
        assert len({each[0] for each in found["results"]}) == 1
        assert len(found["libraries"]) == 1
        assert found["warnings"] == []


def test_32_threads_are_warned_once(environment_of_all: Environment) -> None:
    for folder in environment_of_all.site_packages.glob("ndkernels_*"):
        folder.rename(environment_of_all.folder / folder.name)
    found = environment_of_all.json(THREADS)
    assert found["errors"] == []
    assert {each[1] for each in found["results"]} == {"generic"}
    assert found["warnings"] == ["BetterVariantWarning"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes(installed_all: Environment, method: str, when: str, tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(PROCESSES)
    result = installed_all.run(str(tmp_path / "work.py"), method, when)
    assert json.loads(result.stdout) == [[native(installed_all), 300.0**3]] * 8


@pytest.fixture(scope="module", params=FOUND, ids=lambda each: each.tag)
def one_interpreter(
    request: pytest.FixtureRequest, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Interpreter, Environment]:
    """An environment of each Python on this machine."""
    interpreter: Interpreter = request.param
    environment = Environment(tmp_path_factory.mktemp("interpreter") / "env")
    subprocess.run(
        [uv(), "venv", "--quiet", "--python", str(interpreter.executable), str(environment.folder)], check=True
    )
    environment.uv_install("numpy")
    environment.uv_install("--no-index", "--no-deps", "--find-links", str(wheelhouse), "variantkit", "ndkernels")
    return interpreter, environment


@pytest.mark.parametrize("order", ["m", "s", "d", "ms", "md", "mddm", "smd", "dm", "dmd", "ddm"])
def test_the_first_interpreter_of_a_process_has_it_and_others_are_told(
    one_interpreter: tuple[Interpreter, Environment], order: str
) -> None:
    _, environment = one_interpreter
    result = environment.run("-c", INTERPRETERS, order, NDKERNELS_WARN="0")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(said) == len(order)
    for number, (kind, (error, what)) in enumerate(zip(order, said, strict=True)):
        if number == 0 or kind == order[0] == "m":
            assert (error, what) == ("", 12.0)
        else:
            assert error == "NoUsableClassifierError"
            assert "another interpreter of this process has loaded it" in what
            assert what.endswith("in one interpreter of a process only, or use processes (multiprocessing) instead.")


def test_an_isolated_interpreter_is_told(one_interpreter: tuple[Interpreter, Environment]) -> None:
    interpreter, environment = one_interpreter
    result = environment.run("-c", INTERPRETERS, "im", NDKERNELS_WARN="0")
    isolated, main = (json.loads(line) for line in result.stdout.splitlines())
    if interpreter.version >= (3, 12):
        assert isolated[0] == "NoUsableClassifierError"
        assert "does not support loading in subinterpreters" in isolated[1]
        assert isolated[1].endswith("use processes (multiprocessing) instead.")
        assert main == ["", 12.0]
    else:  # they all share one GIL there
        assert isolated == ["", 12.0]
        assert main[0] == "NoUsableClassifierError"


def test_isolated_mode_without_site(installed_all: Environment) -> None:
    code = f"import sys; sys.path.append({str(installed_all.site_packages)!r})\n{SHOW}"
    result = installed_all.run("-I", "-S", "-W", "error", "-c", code)
    assert json.loads(result.stdout) == [native(installed_all), 729.0]


def assert_told_of_the_archive(result: subprocess.CompletedProcess[str], archive: Path) -> None:
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("variantkit.errors.NoUsableClassifierError: ndkernels._binding")
    assert f"It lies in the archive {archive}, and no system opens a library in there: unpack it" in last
    assert "circular import" not in result.stderr
    assert "dlopen" not in result.stderr


def test_wheels_on_the_path_are_told_to_be_unpacked(installed_all: Environment, wheelhouse: Path) -> None:
    wheels = sorted(map(str, wheelhouse.glob("*.whl")), key=lambda name: f"-cp3{sys.version_info[1]}-" not in name)
    code = f"import sys; sys.path[:0] = {wheels!r}\nimport ndkernels"
    base = next(name for name in wheels if Path(name).name.startswith("ndkernels-"))
    assert_told_of_the_archive(installed_all.run("-I", "-S", "-c", code, check=False), Path(base))


@pytest.mark.parametrize("compressed", [False, True])
def test_an_application_in_one_file_is_told_to_be_unpacked(
    installed_all: Environment, compressed: bool, tmp_path: Path
) -> None:
    for name in ("ndkernels", "ndkernels_avx2", "ndkernels_avx512", "variantkit"):
        shutil.copytree(installed_all.site_packages / name, tmp_path / "app" / name)
    (tmp_path / "app" / "__main__.py").write_text("import ndkernels\n")
    target = tmp_path / "app.pyz"
    zipapp.create_archive(tmp_path / "app", target, compressed=compressed)
    assert_told_of_the_archive(installed_all.run("-I", "-S", str(target), check=False), target)
    # The same one, unpacked as PEX and shiv do it.
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "unpacked")
    unpacked = installed_all.run("-I", str(tmp_path / "unpacked"), NDKERNELS_LOG="info")
    assert f"from {tmp_path / 'unpacked'}" in unpacked.stderr


def test_a_package_that_has_no_compiled_part_is_told_the_same(tmp_path: Path) -> None:
    archive = tmp_path / "app.pyz"
    archive.write_bytes(b"PK")
    with pytest.raises(
        NoUsableClassifierError, match=r"It lies in the archive .*app\.pyz, .* or install it with pip\."
    ):
        resolve(
            CATALOGUE,
            package_dir=str(archive / "gizmo"),
            host=host("haswell"),
            settings=Settings(),
            search_path=[str(archive)],
        )


def test_a_classifier_wheel_that_was_not_unpacked_is_as_good_as_none(
    environment_of_all: Environment, wheelhouse: Path
) -> None:
    for folder in environment_of_all.site_packages.glob("ndkernels_*"):
        folder.rename(environment_of_all.folder / folder.name)
    wheels = sorted(map(str, wheelhouse.glob("ndkernels_*.whl")))
    assert wheels
    result = environment_of_all.script(f"import sys; sys.path += {wheels!r}\n{SHOW}")
    assert json.loads(result.stdout) == ["generic", 729.0]
    assert "BetterVariantWarning" in result.stderr
