from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import pytest

from hosts import CATALOGUE, CUDA, RECORDED, catalogue, host
from variantkit.catalogue import Classifier
from variantkit.errors import (
    ClassifierError,
    ClassifierNotInstalledError,
    ClassifierNotRunnableError,
    NoUsableClassifierError,
    UnknownClassifierError,
    VersionMismatchError,
)
from variantkit.select import Installed, Policy, select, select_devices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from variantkit.catalogue import Catalogue


def installed(*names: str, **changes: str) -> tuple[Installed, ...]:
    return tuple(
        Installed(classifier=name, version="1.2.0", abi="1.0", path=f"/x/{name}.so", size=1).replace(**changes)
        for name in names
    )


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    names = tuple(names)
    return list(chain.from_iterable(combinations(names, count) for count in range(len(names) + 1)))


SUBSETS = subsets(CATALOGUE.names)


def test_a_record_that_cannot_be_hashed_names_its_field() -> None:
    decision = select(CATALOGUE, installed("generic"), host("haswell"))
    with pytest.raises(TypeError, match="Decision has a dict in its field 'missing', and cannot be hashed"):
        hash(decision)
    assert len({*installed("generic"), *installed("generic")}) == 1


# --- the property: every machine, every set of installed classifiers


@pytest.mark.parametrize("name", RECORDED)
def test_faiss_4210_and_4313_the_best_runnable_installed_one_is_chosen(name: str) -> None:
    expected: list[str] = RECORDED[name].expected["runnable"]  # lowest rank first
    machine = host(name)
    for subset in SUBSETS:
        decision = select(CATALOGUE, installed(*subset), machine)
        usable = [classifier for classifier in expected if classifier in subset]
        assert decision.chosen == (usable[-1] if usable else None), subset
        assert decision.runnable == tuple(reversed(expected)), subset
        assert decision.recommended == (expected[-1] if expected else None), subset


@pytest.mark.parametrize("name", RECORDED)
def test_dl4j_8585_a_better_one_is_never_false(name: str) -> None:
    machine = host(name)
    for subset in SUBSETS:
        decision = select(CATALOGUE, installed(*subset), machine)
        chosen = CATALOGUE.get(decision.chosen or "")
        lowest = chosen.rank if chosen else -1
        wanted = {
            row.name
            for row in CATALOGUE.classifiers
            if row.features <= machine.features
            and machine.platform in row.platforms
            and row.rank > lowest
            and row.name not in subset
        }
        assert set(decision.better) == wanted, subset


@pytest.mark.parametrize("name", RECORDED)
def test_a_decision_explains_every_classifier(name: str) -> None:
    machine = host(name)
    for subset in SUBSETS:
        decision = select(CATALOGUE, installed(*subset), machine)
        explained = [rejected for rejected, _ in decision.rejected]
        assert sorted([*explained, *([decision.chosen] if decision.chosen else [])]) == sorted(CATALOGUE.names)
        assert all(why for _, why in decision.rejected)
        assert decision.reason.endswith(".")
        for row in CATALOGUE.classifiers:
            assert decision.missing[row.name] == machine.missing(row.features)
            assert bool(decision.why_not(row.name)) == (row.name != decision.chosen)


# --- single cases


def test_dl4j_8621_generic_and_avx2_installed_on_a_machine_without_avx2() -> None:
    decision = select(CATALOGUE, installed("generic", "avx2"), host("ivybridge"))
    assert decision.chosen == "generic"
    assert decision.why_not("avx2") == "this machine lacks abm, avx2, bmi1, bmi2, fma, movbe"
    assert decision.better == ()
    # What an environment says that was copied to a weaker machine: the reason is in the log, show_config() and detect.
    best = "generic is the best classifier that this machine can run."
    assert decision.reason == f"{best} Installed, but not for this machine: avx2."


def test_dl4j_8585_no_better_one_when_the_best_is_loaded() -> None:
    decision = select(CATALOGUE, installed("generic", "avx2"), host("haswell"))
    assert (decision.chosen, decision.better) == ("avx2", ())
    assert decision.reason == "avx2 is the best classifier that this machine can run."


def test_faiss_4313_a_high_one_alone_is_loaded() -> None:
    assert select(CATALOGUE, installed("avx512"), host("zen5")).chosen == "avx512"


def test_better_names_the_best_first() -> None:
    decision = select(CATALOGUE, installed("generic"), host("zen5"))
    assert decision.better == ("avx512", "avx2")
    assert (
        decision.reason
        == "generic is the best usable classifier among those installed; avx512, avx2 could be installed."
    )


def test_knights_landing_gets_avx2() -> None:
    decision = select(CATALOGUE, installed("generic", "avx2", "avx512"), host("knights-landing"))
    assert decision.chosen == "avx2"
    assert decision.missing["avx512"] == ("avx512bw", "avx512dq", "avx512vl")


def test_the_rank_decides_and_not_the_order_of_the_matrix() -> None:
    slow = Classifier(
        name="slow512", summary="", rank=5, device="cpu", platforms=("linux-x86_64",), level="x86-64-v4",
        features=frozenset({"avx512f"}),
    )  # fmt: skip
    decision = select(catalogue(slow), installed("slow512", "avx2"), host("zen5"))
    assert decision.chosen == "avx2"
    assert decision.better == ("avx512",)
    assert decision.why_not("slow512") == "avx2 is ranked higher"


def test_another_platform_runs_nothing() -> None:
    decision = select(CATALOGUE, installed("generic"), host("macos-haswell"))
    assert (decision.chosen, decision.better, decision.recommended) == (None, (), None)
    assert decision.why_not("generic") == "it is built for linux-x86_64, and this is macos-x86_64"
    assert decision.reason == "no classifier can run on this machine."


def test_another_version_is_refused_and_is_no_better_one() -> None:
    have = installed("generic") + installed("avx2", version="1.1.0")
    decision = select(CATALOGUE, have, host("haswell"))
    assert decision.chosen == "generic"
    assert decision.why_not("avx2") == "version mismatch: it is 1.1.0, and gizmo-kit is 1.2.0"
    assert decision.better == ()
    assert decision.defective == ("avx2",)


def test_what_only_has_to_be_mended_is_better_than_what_comes_after_it() -> None:
    mend_the_best = select(CATALOGUE, installed("generic") + installed("avx512", version="1.1.0"), host("zen5"))
    assert (mend_the_best.chosen, mend_the_best.better, mend_the_best.defective) == ("generic", (), ("avx512",))
    mend_another = select(CATALOGUE, installed("generic") + installed("avx2", version="1.1.0"), host("zen5"))
    assert (mend_another.better, mend_another.defective) == (("avx512",), ("avx2",))


def test_a_defective_one_below_the_chosen_one_is_not_mentioned() -> None:
    have = installed("avx512") + installed("avx2", defect="it is damaged")
    assert select(CATALOGUE, have, host("zen5")).defective == ()


# --- forced


def test_forced_is_chosen_and_nothing_is_better() -> None:
    have = installed("generic", "avx2")
    decision = select(CATALOGUE, have, host("zen5"), Policy(forced="generic"))
    assert (decision.chosen, decision.forced, decision.better) == ("generic", True, ())
    assert decision.why_not("avx2") == "GIZMO_CLASSIFIER asks for generic"
    assert decision.reason == "GIZMO_CLASSIFIER asks for generic, and this machine can run it."


@pytest.mark.parametrize(
    ("forced", "have", "machine", "error", "words"),
    [
        ("avx3", installed("generic"), "haswell", UnknownClassifierError, ["avx3", "generic, avx2, avx512", "unset"]),
        ("avx512", installed("avx512"), "haswell", ClassifierNotRunnableError, ["lacks avx512bw", "generic, avx2"]),
        # Neither installed nor runnable: telling to install it would not help.
        ("avx512", installed("generic"), "haswell", ClassifierNotRunnableError, ["lacks avx512bw"]),
        ("avx2", installed("generic"), "macos-haswell", ClassifierNotRunnableError, ["linux-x86_64", "unset it"]),
        (
            "avx2",
            installed("generic"),
            "haswell",
            ClassifierNotInstalledError,
            ["(installed: generic)", "install it with: ", ' -m pip install "gizmo-kit[avx2]"'],
        ),
        (
            "avx2",
            installed("avx2", version="2.0"),
            "haswell",
            VersionMismatchError,
            ["it is 2.0, and gizmo-kit is 1.2.0", "--force-reinstall --no-deps gizmo-kit-avx2==1.2.0"],
        ),
        (
            "avx2",
            installed("avx2", defect="it is damaged"),
            "haswell",
            NoUsableClassifierError,
            ["it is damaged", "--force-reinstall --no-deps gizmo-kit-avx2==1.2.0"],
        ),
        (
            "generic",
            installed("generic", defect="it is damaged"),
            "haswell",
            NoUsableClassifierError,
            ["--force-reinstall --no-deps gizmo-kit==1.2.0"],
        ),
    ],
)
def test_numpy_and_ctranslate2_a_forced_classifier_is_checked(
    forced: str, have: tuple[Installed, ...], machine: str, error: type[ClassifierError], words: list[str]
) -> None:
    with pytest.raises(ClassifierError) as caught:
        select(CATALOGUE, have, host(machine), Policy(forced=forced))
    assert caught.type is error
    assert str(caught.value).startswith(f"GIZMO_CLASSIFIER={forced}: ")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_classifier_errors_are_import_errors() -> None:
    assert issubclass(ClassifierError, ImportError)


# --- kinds of devices


def both() -> Catalogue:
    return catalogue(CUDA)


def test_one_decision_per_kind_of_device_gpu_first_as_in_nd4j() -> None:
    machine = host("haswell").replace(devices=frozenset({"cpu", "cuda"}))
    decisions = select_devices(both(), installed("generic", "cuda-13"), machine)
    assert [(each.device, each.chosen) for each in decisions] == [("cuda", "cuda-13"), ("cpu", "generic")]
    assert decisions[1].better == ("avx2",)
    assert "cuda-13" not in decisions[1].missing


def test_backend_priority_orders_the_kinds() -> None:
    machine = host("haswell").replace(devices=frozenset({"cpu", "cuda"}))
    policy = Policy(cpu_priority=200)
    decisions = select_devices(both(), installed("generic", "cuda-13"), machine, policy)
    assert [each.device for each in decisions] == ["cpu", "cuda"]


def test_a_gpu_classifier_needs_its_device() -> None:
    decisions = select_devices(both(), installed("generic", "cuda-13"), host("haswell"))
    assert [(each.device, each.chosen) for each in decisions] == [("cuda", None), ("cpu", "generic")]
    assert decisions[0].why_not("cuda-13") == "this machine has no usable cuda device"
    assert decisions[0].better == ()


def test_a_forced_classifier_leaves_its_kind_of_device() -> None:
    decisions = select_devices(both(), installed("generic", "cuda-13"), host("haswell"), Policy(forced="generic"))
    assert [(each.device, each.chosen) for each in decisions] == [("cpu", "generic")]
    with pytest.raises(ClassifierNotRunnableError, match="no usable cuda device"):
        select_devices(both(), installed("generic", "cuda-13"), host("haswell"), Policy(forced="cuda-13"))


# --- classifiers that are only for those who ask for them


ASKED = Classifier(
    name="asked-v3", summary="made up", rank=99, device="cpu", platforms=("linux-x86_64",), level="x86-64-v3",
    features=next(row.features for row in CATALOGUE.classifiers if row.name == "avx2"), on_request=True,
)  # fmt: skip


def test_what_is_on_request_is_recommended_to_nobody() -> None:
    decision = select(catalogue(ASKED), installed("generic", "avx2"), host("haswell"))
    assert (decision.chosen, decision.recommended, decision.better) == ("avx2", "avx2", ())
    assert decision.runnable[0] == "asked-v3"
    assert decision.why_not("asked-v3") == "it is not installed, and only for those who ask for it"
    assert "avx2 is the best classifier" in decision.reason


def test_what_is_on_request_is_used_where_it_is_installed() -> None:
    decision = select(catalogue(ASKED), installed("generic", "avx2", "asked-v3"), host("haswell"))
    assert (decision.chosen, decision.recommended, decision.better) == ("asked-v3", "asked-v3", ())
    damaged = (*installed("generic", "avx2"), *installed("asked-v3", defect="it is cut short"))
    decision = select(catalogue(ASKED), damaged, host("haswell"))
    assert (decision.chosen, decision.defective, decision.better) == ("avx2", ("asked-v3",), ())


def test_a_better_one_is_recommended_to_those_who_asked_for_another() -> None:
    lower = ASKED.replace(name="asked", rank=1, features=frozenset())
    decision = select(catalogue(lower), installed("generic", "asked"), host("haswell"))
    assert (decision.chosen, decision.recommended, decision.better) == ("asked", "avx2", ("avx2",))
