from __future__ import annotations

import importlib
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import variantkit
from hosts import CATALOGUE, CUDA, Tree, catalogue, host
from variantkit import loader
from variantkit.environment import Settings
from variantkit.errors import (
    BetterVariantWarning,
    ClassifierFallbackWarning,
    ClassifierNotRunnableError,
    LibraryOpenError,
    NoUsableClassifierError,
    SettingError,
    UnknownClassifierError,
    VersionMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from variantkit.loader import Loaded

VARIABLES = ("GIZMO_CLASSIFIER", "GIZMO_WARN", "GIZMO_LOG", "BACKEND_PRIORITY_CPU", "BACKEND_PRIORITY_GPU")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(loader, "_loaded", {})
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("gizmo", "customer")]:
        del sys.modules[name]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "site")


class Opener:
    """Opens by returning the name of the file; raises for the classifiers it is told to."""

    def __init__(self, **broken: OSError) -> None:
        self.broken = broken
        self.opened: list[str] = []

    def __call__(self, path: str) -> str:
        name = Path(path).stem.removeprefix("libgizmo_")
        self.opened.append(name)
        if name in self.broken:
            raise self.broken[name]
        return f"library {name}"


def resolve(tree: Tree, machine: str, opener: Callable[[str], Any], **settings: Any) -> Loaded:
    return loader.resolve(
        tree.catalogue,
        package_dir=str(tree.package),
        host=host(machine),
        settings=Settings(**settings),
        open_library=opener,
        search_path=[],
    )


def load(tree: Tree, machine: str, opener: Callable[[str], Any] | None) -> Loaded:
    """Load through the public function, as the package `gizmo` does when it is imported."""
    sys.path.insert(0, str(tree.root))
    try:
        (tree.package / "__init__.py").write_text("", encoding="utf-8")
        importlib.invalidate_caches()
        return loader.load("gizmo", host=host(machine), open_library=opener)
    finally:
        sys.path.remove(str(tree.root))


# --- what is loaded


def test_the_best_installed_one_is_opened(tree: Tree) -> None:
    opener = Opener()
    loaded = resolve(tree.install("generic", "avx2", "avx512"), "haswell", opener)
    assert (loaded.classifier, loaded.library, opener.opened) == ("avx2", "library avx2", ["avx2"])
    assert loaded.path == str(tree.root / "gizmo_avx2" / "libgizmo_avx2.so")
    assert loaded.decision.chosen == "avx2"
    assert [item.classifier for item in loaded.installed] == ["generic", "avx2", "avx512"]


def test_dl4j_8621_generic_and_avx2_on_a_machine_without_avx2(tree: Tree) -> None:
    opener = Opener()
    assert load(tree.install("generic", "avx2"), "k10", opener).classifier == "generic"
    assert opener.opened == ["generic"]


def test_ggml_only_the_chosen_library_is_opened(tree: Tree) -> None:
    """Opening all of them to ask for a score runs the constructors of all of them."""
    opener = Opener()
    resolve(tree.install("generic", "avx2", "avx512"), "zen5", opener)
    assert opener.opened == ["avx512"]


def test_gpu_first_as_in_nd4j(tmp_path: Path) -> None:
    tree = Tree(tmp_path, catalogue(CUDA)).install("generic", "cuda-13")
    machine = host("haswell").replace(devices=frozenset({"cpu", "cuda"}))
    for priority, wanted in ((0, "cuda-13"), (200, "generic")):
        loaded = loader.resolve(
            tree.catalogue,
            package_dir=str(tree.package),
            host=machine,
            settings=Settings(cpu_priority=priority),
            open_library=Opener(),
            search_path=[],
        )
        assert loaded.classifier == wanted
        assert {decision.device for decision in loaded.decisions} == {"cpu", "cuda"}


# --- what cannot be opened


@pytest.mark.parametrize(
    "error",
    [
        OSError("libgizmo_avx512.so: file too short"),
        OSError("libgizmo_avx512.so: cannot open shared object file: wrong ELF class: ELFCLASS32"),
        OSError("libgizmo_avx512.so: CPU ISA level is lower than required"),
        LibraryOpenError("it has ABI 2.0, and 1.x is needed; reinstall it"),
    ],
    ids=["truncated", "foreign", "isa-note", "abi"],
)
def test_a_library_that_cannot_be_opened_gives_the_next_best_and_the_reason(tree: Tree, error: OSError) -> None:
    opener = Opener(avx512=error)
    with pytest.warns(ClassifierFallbackWarning) as caught:
        loaded = load(tree.install("generic", "avx2", "avx512"), "zen5", opener)
    assert (loaded.classifier, opener.opened) == ("avx2", ["avx512", "avx2"])
    (warning,) = caught
    assert str(error) in str(warning.message)
    assert "avx2 is loaded instead" in str(warning.message)
    assert str(warning.message).endswith("--force-reinstall --no-deps gizmo-kit-avx512==1.2.0")
    assert loaded.decision.why_not("avx512") == f"its library could not be opened: {error}"
    defects = {item.classifier: item.defect for item in loaded.installed if item.defect}
    assert defects == {"avx512": f"its library could not be opened: {error}"}
    assert "avx512 cannot be used as installed" in loaded.decision.reason


def test_two_that_cannot_be_opened(tree: Tree) -> None:
    opener = Opener(avx512=OSError("first"), avx2=OSError("second"))
    with pytest.warns(ClassifierFallbackWarning) as caught:
        loaded = load(tree.install("generic", "avx2", "avx512"), "zen5", opener)
    assert loaded.classifier == "generic"
    assert [("first" in str(each.message), "second" in str(each.message)) for each in caught] == [
        (True, False),
        (False, True),
    ]


def test_a_truncated_library_is_never_opened(tree: Tree) -> None:
    tree.install("generic", "avx2", data=b"x" * 100)
    (tree.folder("avx2") / "libgizmo_avx2.so").write_bytes(b"x" * 40)
    opener = Opener()
    with pytest.warns(ClassifierFallbackWarning, match="damaged: 40 bytes"):
        assert load(tree, "haswell", opener).classifier == "generic"
    assert opener.opened == ["generic"]


def test_another_version_is_refused_with_the_command_that_mends_it(tree: Tree) -> None:
    tree.install("generic").install("avx2", Version="1.1.0")
    with pytest.warns(
        ClassifierFallbackWarning, match=r"version mismatch: it is 1\.1\.0.*gizmo-kit-avx2==1\.2\.0"
    ) as caught:
        assert load(tree, "haswell", Opener()).classifier == "generic"
    assert len(caught) == 1


def test_a_broken_one_that_would_not_run_here_is_not_mentioned(tree: Tree) -> None:
    tree.install("generic", "avx2").install("avx512", Version="1.1.0")
    assert load(tree, "haswell", Opener()).classifier == "avx2"


def test_the_default_opener_is_the_dynamic_loader(tree: Tree) -> None:
    tree.install("generic", data=b"this is no library")
    with pytest.raises(NoUsableClassifierError, match=r"could not be opened: .*libgizmo_generic\.so"):
        loader.resolve(
            tree.catalogue, package_dir=str(tree.package), host=host("haswell"), settings=Settings(), search_path=[]
        )


def test_an_error_that_is_not_about_opening_is_not_hidden(tree: Tree) -> None:
    def broken(path: str) -> None:
        raise ZeroDivisionError(path)

    with pytest.raises(ZeroDivisionError):
        resolve(tree.install("generic"), "haswell", broken)


class Library:
    """Says what it is, as the libraries of a compiled binding do."""

    def __init__(self, classifier: object, version: object) -> None:
        self.classifier = classifier
        self.version = version


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (Library("generic", "1.2.0"), "its library says its classifier is generic, where avx2 was expected"),
        (Library("avx2", "1.1.0"), "its library says its version is 1.1.0, where 1.2.0 was expected"),
    ],
)
def test_a_library_that_says_it_is_another_is_not_used(tree: Tree, library: Library, why: str) -> None:
    with pytest.warns(ClassifierFallbackWarning, match=why):
        loaded = load(
            tree.install("generic", "avx2"),
            "haswell",
            lambda path: library if "avx2" in path else Library("generic", "1.2.0"),
        )
    assert loaded.classifier == loaded.library.classifier == "generic"
    assert {item.classifier: item.defect for item in loaded.installed} == {"generic": "", "avx2": why}


def test_what_a_library_says_counts_only_where_it_is_text(tree: Tree) -> None:
    """`ctypes.CDLL` has a function for each symbol, and a library may well export one called `version`."""
    assert resolve(tree.install("avx2"), "haswell", lambda path: Library(len, len)).classifier == "avx2"
    assert resolve(tree, "haswell", lambda path: Library("avx2", "1.2.0")).classifier == "avx2"


# --- nothing usable: the cause and the cure


def test_the_error_has_what_was_found(tree: Tree) -> None:
    tree.install("generic", "avx2")
    opener = Opener(generic=OSError("file too short"), avx2=OSError("no"))
    with pytest.raises(loader.NoUsableClassifierError) as caught:
        resolve(tree, "haswell", opener)
    decision = caught.value.decision
    assert decision is not None
    assert (decision.chosen, decision.defective) == (None, ("avx2", "generic"))
    opened = {item.classifier: item.defect for item in caught.value.installed}
    assert opened == {
        "generic": "its library could not be opened: file too short",
        "avx2": "its library could not be opened: no",
    }
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(copied), copied.installed) == (str(caught.value), caught.value.installed)


def test_the_error_of_a_forced_one_has_what_was_found(tree: Tree) -> None:
    with pytest.raises(loader.NoUsableClassifierError, match="GIZMO_CLASSIFIER=avx2") as caught:
        resolve(tree.install("generic", "avx2"), "haswell", Opener(avx2=OSError("no")), forced="avx2")
    assert caught.value.decision is None
    assert [bool(item.defect) for item in caught.value.installed] == [False, True]


def test_an_incomplete_base_wheel(tree: Tree) -> None:
    with pytest.raises(NoUsableClassifierError) as caught:
        resolve(tree, "haswell", Opener())
    text = str(caught.value)
    assert "generic: it is not installed" in text
    assert "avx512: this machine lacks avx512bw" in text
    assert text.splitlines()[-1].startswith("The base wheel is incomplete: reinstall it with: ")
    assert text.endswith("-m pip install --force-reinstall --no-deps gizmo-kit==1.2.0")


def test_a_damaged_base_wheel(tree: Tree) -> None:
    with pytest.raises(NoUsableClassifierError) as caught:
        resolve(tree.install("generic"), "haswell", Opener(generic=OSError("file too short")))
    assert "generic: its library could not be opened: file too short" in str(caught.value)
    assert "The base wheel is damaged: reinstall it with: " in str(caught.value)


def test_another_platform(tree: Tree) -> None:
    with pytest.raises(NoUsableClassifierError) as caught:
        resolve(tree.install("generic"), "apple-m1-linux", Opener())
    assert "on this linux-aarch64 machine" in str(caught.value)
    assert str(caught.value).endswith(
        "It is built for linux-x86_64 only: use such a machine, or build it from source for this one."
    )


def test_a_machine_below_every_classifier_hears_what_hides_its_features(tmp_path: Path) -> None:
    rows = CATALOGUE.replace(classifiers=CATALOGUE.classifiers[1:], base="avx2")
    tree = Tree(tmp_path, rows).install("avx2")
    with pytest.raises(NoUsableClassifierError) as caught:
        resolve(tree, "kvm64", Opener())
    assert 'set its CPU type to "host"' in str(caught.value)
    assert "This CPU is older than every classifier" in str(caught.value)


# --- forced


def test_forced_is_loaded_without_a_word_about_better_ones(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_CLASSIFIER", "GENERIC")
    assert load(tree.install("generic", "avx2"), "zen5", Opener()).classifier == "generic"


def test_forced_is_never_replaced_by_another(tree: Tree) -> None:
    tree.install("generic", "avx2")
    with pytest.raises(NoUsableClassifierError, match=r"GIZMO_CLASSIFIER=avx2: .*file too short"):
        resolve(tree, "haswell", Opener(avx2=OSError("file too short")), forced="avx2")
    with pytest.raises(UnknownClassifierError):
        resolve(tree, "haswell", Opener(), forced="avx3")
    opener = Opener()
    with pytest.raises(ClassifierNotRunnableError):
        resolve(tree.install("avx512"), "haswell", opener, forced="avx512")
    with pytest.raises(VersionMismatchError):
        resolve(tree.install("avx2", Version="9"), "haswell", opener, forced="avx2")
    assert opener.opened == []


def test_a_setting_that_is_not_allowed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_WARN", "never")
    with pytest.raises(SettingError, match="GIZMO_WARN='never'"):
        load(tree.install("generic"), "haswell", Opener())


@pytest.mark.parametrize("silence", ["0", "1"])
def test_a_priority_that_is_no_number_may_belong_to_another_program(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, silence: str
) -> None:
    monkeypatch.setenv("BACKEND_PRIORITY_CPU", "high")
    monkeypatch.setenv("GIZMO_WARN", silence)
    with pytest.warns(RuntimeWarning, match=r"BACKEND_PRIORITY_CPU='high' is not a number, and 0 is used") as caught:
        assert load(tree.install("generic", "avx2"), "haswell", Opener()).classifier == "avx2"
    assert [warning.category for warning in caught] == [RuntimeWarning]


# --- the warning about a better one


CUSTOMER = """\
# The user's own program.
import os

import gizmo
"""


def import_customer(tree: Tree, machine: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Import a user's module that imports the package, which loads: the frames in between are real."""
    path = tree.root / "customer.py"
    path.write_text(CUSTOMER, encoding="utf-8")
    monkeypatch.syspath_prepend(tree.root)
    monkeypatch.setattr(loader, "detect", lambda cpuid: host(machine))
    importlib.import_module("customer")
    return path


def test_dl4j_7834_the_warning_names_the_command_and_points_at_the_import(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.install("generic")
    info = tree.root / "gizmo_kit-1.2.0.dist-info"
    info.mkdir()
    (info / "INSTALLER").write_text("uv", encoding="utf-8")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    with pytest.warns(BetterVariantWarning) as caught:
        path = import_customer(tree, "zen5", monkeypatch)
    (warning,) = caught
    assert str(warning.message) == (
        "gizmo-kit runs with generic, and this machine can run avx512, which is faster. "
        'Install it with: uv pip install "gizmo-kit[avx512]" (or set GIZMO_WARN=0 to silence this)'
    )
    assert (warning.filename, warning.lineno) == (str(path), 4)


def test_the_warning_comes_once_per_process(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import_customer(tree.install("generic"), "zen5", monkeypatch)
        importlib.reload(sys.modules["gizmo"])
        loader.load("gizmo")
    assert [warning.category for warning in caught] == [BetterVariantWarning]


def test_dl4j_8585_no_warning_when_the_best_is_loaded(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    import_customer(tree.install("generic", "avx2"), "haswell", monkeypatch)
    assert sys.modules["gizmo"].LOADED.classifier == "avx2"


@pytest.mark.parametrize("machine", ["ivybridge", "kvm64", "guest-clearcpuid-xsave", "masked-avx", "rosetta-linux"])
def test_no_warning_about_what_would_not_run(tree: Tree, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import_customer(tree.install("generic"), machine, monkeypatch)
    assert sys.modules["gizmo"].LOADED.classifier == "generic"


def test_the_variable_silences_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_WARN", "0")
    import_customer(tree.install("generic"), "zen5", monkeypatch)
    assert sys.modules["gizmo"].LOADED.decision.better == ("avx512", "avx2")


def test_a_filter_silences_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", BetterVariantWarning)
        import_customer(tree.install("generic"), "zen5", monkeypatch)
    assert caught == []


def test_a_frozen_application_has_nothing_to_install_into(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    import_customer(tree.install("generic"), "zen5", monkeypatch)
    assert sys.modules["gizmo"].LOADED.decision.better == ("avx512", "avx2")


def test_the_variable_does_not_silence_what_is_broken(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_WARN", "0")
    with pytest.warns(ClassifierFallbackWarning):
        load(tree.install("generic").install("avx2", Version="9"), "haswell", Opener())


def test_a_warning_turned_into_an_error_leaves_a_loaded_package(tree: Tree) -> None:
    opener = Opener()
    with pytest.raises(BetterVariantWarning):
        load(tree.install("generic"), "zen5", opener)
    assert loader.load("gizmo").classifier == "generic"
    assert opener.opened == ["generic"]


# --- what is logged


def test_dl4j_8554_one_line_says_what_was_loaded_and_why(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loaded = load(tree.install("generic", "avx2"), "haswell", Opener())
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("gizmo", "INFO")
    assert record.getMessage() == (
        f"gizmo-kit 1.2.0: loaded avx2 from {loaded.path}: avx2 is the best classifier that this machine can run."
    )


def test_the_variable_prints_to_stderr(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIZMO_LOG", "info")
    load(tree.install("generic", "avx2"), "haswell", Opener())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gizmo-kit 1.2.0: loaded avx2 from ")
    assert err.count("\n") == 1


def test_debug_prints_the_machine_and_what_was_rejected(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIZMO_LOG", "debug")
    load(tree.install("generic"), "kvm64", Opener())
    err = capsys.readouterr().err
    assert "  host: linux-x86_64, Common KVM processor (sources: kernel, cpuid)\n" in err
    assert "  not avx2: this machine lacks abm, avx, avx2" in err
    assert "  note: this is a virtual machine, " in err


def test_a_program_without_stderr(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZMO_LOG", "debug")
    monkeypatch.setattr(sys, "stderr", None)
    assert load(tree.install("generic"), "k10", Opener()).classifier == "generic"


# --- the compiled CPUID reading


def test_the_catalogue_names_the_compiled_reading(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tree.root)
    (tree.package / "__init__.py").write_text("", encoding="utf-8")
    assert loader.compiled_cpuid(CATALOGUE) is None  # not built
    assert loader.compiled_cpuid(CATALOGUE.replace(cpuid="")) is None
    (tree.package / "_binding.py").write_text("def cpuid(): return ({}, None)\n", encoding="utf-8")
    importlib.invalidate_caches()
    function = loader.compiled_cpuid(CATALOGUE)
    assert function is not None
    assert function() == ({}, None)
    assert loader.compiled_cpuid(CATALOGUE.replace(cpuid="gizmo._binding:other")) is None
    assert loader.catalogue_of("gizmo") == CATALOGUE


@pytest.mark.parametrize("module", ["_catalogue", "_binding"])
def test_a_thread_loads_while_another_one_imports_the_package(tree: Tree, module: str) -> None:
    """Python locks a submodule before its package: without care, this is a deadlock that it ends with an exception."""
    (tree.package / "__init__.py").write_text(f"import gizmo.{module}\n", encoding="utf-8")
    (tree.package / "_binding.py").write_text("def cpuid(): return ({}, None)\n", encoding="utf-8")
    code = f"""
        import threading, time
        from concurrent.futures import ThreadPoolExecutor
        from importlib.machinery import SourceFileLoader
        import variantkit.loader as loader
        from variantkit.catalogue import Catalogue

        def create_module(self, spec):
            if spec.name == "gizmo":  # its import has begun, and it is not in sys.modules yet
                importing.set()
                time.sleep(0.3)

        importing = threading.Event()
        SourceFileLoader.create_module = create_module
        imported = ThreadPoolExecutor().submit(__import__, "gizmo")
        importing.wait()
        if {module!r} == "_catalogue":
            print(loader.catalogue_of("gizmo").package)
        else:
            catalogue = Catalogue(distribution="", package="gizmo", version="", base="", prefix="", classifiers=(),
                                  cpuid="gizmo._binding:cpuid")
            print(loader.compiled_cpuid(catalogue)())
        imported.result()
    """
    expected = {"_catalogue": "gizmo", "_binding": "({}, None)"}
    assert python(code, tree.root).strip() == expected[module]


# --- the function that opens


def test_the_catalogue_names_the_opener(tmp_path: Path) -> None:
    tree = Tree(tmp_path, CATALOGUE.replace(opener="gizmo._binding:open_library")).install("avx2")
    (tree.package / "_binding.py").write_text("def open_library(path): return ['by gizmo', path]\n", encoding="utf-8")
    loaded = load(tree, "haswell", None)
    assert loaded.library == ["by gizmo", loaded.path]


def test_an_opener_that_is_given_goes_first(tmp_path: Path) -> None:
    tree = Tree(tmp_path, CATALOGUE.replace(opener="gizmo._binding:open_library")).install("avx2")
    assert load(tree, "haswell", Opener()).library == "library avx2"


@pytest.mark.parametrize("binding", [None, "other = len\n"])
def test_an_opener_that_cannot_be_imported_is_not_replaced_by_another(tmp_path: Path, binding: str | None) -> None:
    tree = Tree(tmp_path, CATALOGUE.replace(opener="gizmo._binding:open_library")).install("avx2")
    if binding is not None:
        (tree.package / "_binding.py").write_text(binding, encoding="utf-8")
    with pytest.raises(NoUsableClassifierError, match=r"gizmo\._binding:open_library.* cannot be imported") as caught:
        load(tree, "haswell", None)
    assert str(caught.value).endswith("--force-reinstall --no-deps gizmo-kit==1.2.0")


def test_a_catalogue_that_was_generated_without_an_opener(tree: Tree) -> None:
    text = (tree.package / "_catalogue.py").read_text(encoding="utf-8")
    (tree.package / "_catalogue.py").write_text(text.replace("opener='', ", ""), encoding="utf-8")
    assert load(tree.install("avx2"), "haswell", Opener()).classifier == "avx2"
    assert loader.compiled_opener(CATALOGUE) is None


def test_an_editable_install_is_loaded_from_all_its_folders(tree: Tree, tmp_path: Path) -> None:
    compiled = tmp_path / "build" / "gizmo"
    tree.install("generic", folder=compiled / "classifiers" / "generic")
    (tree.package / "__init__.py").write_text(f"__path__.append({str(compiled)!r})\n", encoding="utf-8")
    sys.path.insert(0, str(tree.root))
    try:
        importlib.invalidate_caches()
        loaded = loader.load("gizmo", host=host("k10"), open_library=Opener())
    finally:
        sys.path.remove(str(tree.root))
    assert loaded.path == str(compiled / "classifiers" / "generic" / "libgizmo_generic.so")


# --- threads


def test_threads_get_the_same_object(tree: Tree) -> None:
    tree.install("generic", "avx2")
    opened = []

    def slow(path: str) -> object:
        opened.append(path)
        time.sleep(0.02)
        return object()

    barrier = threading.Barrier(8)
    results: list[Loaded] = []

    def run() -> None:
        barrier.wait()
        results.append(loader.load("gizmo", host=host("haswell"), open_library=slow))

    sys.path.insert(0, str(tree.root))
    try:
        (tree.package / "__init__.py").write_text("", encoding="utf-8")
        importlib.invalidate_caches()
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.path.remove(str(tree.root))
    assert len(results) == 8
    assert all(result is results[0] for result in results)
    assert len(opened) == 1


# --- in processes of their own


def python(code: str, *paths: Path) -> str:
    where = [str(Path(variantkit.__file__ or "").parent.parent), *map(str, paths)]
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environ["PYTHONPATH"] = os.pathsep.join(where)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nuitka_3437_a_frozen_application_starts_no_process(tree: Tree) -> None:
    tree.install("generic").install("avx2", Version="9")
    code = """
        import os, sys, warnings
        import subprocess  # before it is watched: importing it starts nothing
        events = ("subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
        def forbid(event, args):
            assert event not in events, (event, args)
        sys.addaudithook(forbid)
        def refuse(*args, **options):
            raise AssertionError(args)
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "execv", "execve", "spawnv"):
            setattr(os, name, refuse)
        subprocess.Popen = refuse
        sys.frozen = True
        warnings.simplefilter("always")
        import gizmo
        print(gizmo.LOADED.classifier)
    """
    assert python(code, tree.root).strip() == "generic"


def test_llama_cpp_a_module_that_is_run_does_not_load_from_where_one_stands(tree: Tree, tmp_path: Path) -> None:
    """`python -m` writes the current directory into sys.path as an absolute path."""
    planted = Tree(tmp_path / "planted").install("avx2").root
    (planted / "gizmo").rename(planted / "elsewhere")
    (planted / "program.py").write_text(
        "import sys, gizmo; print(gizmo.LOADED.classifier, sys.path[0])\n", encoding="utf-8"
    )
    code = f"""
        import os, subprocess, sys
        os.chdir({str(planted)!r})
        subprocess.run([sys.executable, "-W", "ignore", "-m", "program"], check=True)
    """
    assert python(code, tree.install("generic").root).split() == ["generic", str(planted)]


HEAVY = (
    *("ctypes", "dataclasses", "enum", "importlib.metadata", "importlib.util", "inspect", "json", "logging", "numpy"),
    *("pathlib", "platform", "re", "subprocess", "typing"),
)


def test_importing_the_loader_imports_nothing_heavy() -> None:
    """Each of these costs 3 to 50 ms on a slow machine, in every program that imports the customer's package."""
    code = """
        import sys
        before = set(sys.modules)
        import variantkit.loader
        print(*sorted(name for name in set(sys.modules) - before if not name.startswith("variantkit")))
    """
    assert python(code).split() in ([], ["__future__"])


def test_loading_imports_nothing_heavy(tree: Tree) -> None:
    """With the compiled reading at hand and the best classifier installed, as it is for most users."""
    code = f"""
        import sys
        before = set(sys.modules)
        import variantkit.loader as loader
        from variantkit.host import detect
        catalogue = loader.catalogue_of("gizmo")
        # What the compiled reading says does not matter here; that it is decoded and intersected does.
        host = detect(lambda: ({{(0, 0): (1, 0, 0, 0), (1, 0): (0, 0, 0, 0)}}, None))
        host = host.replace(system="linux", machine="x86_64", features=catalogue.get("avx2").features)
        loaded = loader.load("gizmo", host=host, open_library=len)
        print(loaded.classifier, sorted((set(sys.modules) - before).intersection({HEAVY!r})))
    """
    (tree.package / "__init__.py").write_text("", encoding="utf-8")
    assert python(code, tree.install("generic", "avx2").root).strip() == "avx2 []"


def test_logging_is_not_imported_for_its_line(tree: Tree) -> None:
    (tree.package / "__init__.py").write_text("", encoding="utf-8")
    code = """
        import sys
        import variantkit.loader as loader
        from variantkit.host import Host
        catalogue = loader.catalogue_of("gizmo")
        features = catalogue.get("generic").features
        loader.load("gizmo", host=Host(system="linux", machine="x86_64", features=features), open_library=len)
        print("logging" in sys.modules)
    """
    assert python(code, tree.install("generic").root).strip() == "False"
