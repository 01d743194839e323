from __future__ import annotations

import pytest

from variantkit.environment import VARIABLES, Settings, Variable, markdown, read
from variantkit.errors import SettingError


def test_nothing_set_gives_the_defaults() -> None:
    assert read("GIZMO", {}) == Settings()
    assert read("GIZMO", {"GIZMO_CLASSIFIER": " ", "GIZMO_WARN": "", "BACKEND_PRIORITY_CPU": ""}) == Settings()


def test_everything_set() -> None:
    environ = {
        "GIZMO_CLASSIFIER": "avx2",
        "GIZMO_WARN": "0",
        "GIZMO_LOG": "Debug",
        "BACKEND_PRIORITY_CPU": "7",
        "BACKEND_PRIORITY_GPU": "-1",
        "OTHER_CLASSIFIER": "avx512",
    }
    wanted = Settings(forced="avx2", warn=False, log="debug", cpu_priority=7, gpu_priority=-1)
    assert read("GIZMO", environ) == wanted


@pytest.mark.parametrize("spelling", ["onednn-avx2", "onednn_avx2", "ONEDNN-AVX2", " onednn-avx2 "])
def test_faiss_2866_spellings_do_not_silently_select_nothing(spelling: str) -> None:
    assert read("GIZMO", {"GIZMO_CLASSIFIER": spelling}).forced == "onednn-avx2"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("GIZMO_WARN", "no", "0 or 1"),
        ("GIZMO_WARN", "2", "0 or 1"),
        ("GIZMO_LOG", "loud", "info or debug"),
    ],
)
def test_a_value_that_is_not_allowed_names_the_variable_and_what_is(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        read("GIZMO", {name: value})
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(f"{name}='{value}'")
    assert allowed in str(caught.value)
    assert str(caught.value).endswith("or unset it")


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("BACKEND_PRIORITY_CPU", "high", 0),
        ("BACKEND_PRIORITY_GPU", "1.5", 100),
        ("BACKEND_PRIORITY_CPU", "9" * 5000, 0),
    ],
)
def test_a_variable_that_may_belong_to_another_program_is_no_error(name: str, value: str, default: int) -> None:
    settings = read("GIZMO", {name: value})
    assert settings.replace(ignored=()) == Settings()
    (message,) = settings.ignored
    assert message.startswith(f"{name}='{value[:60]}' is not a number, and {default} is used")
    assert message.endswith("or unset it")


def test_the_page_says_which_values_are_errors() -> None:
    page = " ".join(markdown("GIZMO", "gizmo-kit").split())
    assert "A value that is not allowed is an error that names what is, in the variables named GIZMO_…" in page
    assert "in the others, which other programs read too, it is a `RuntimeWarning`, and the default is used." in page


def test_the_page_has_every_variable_once() -> None:
    own = Variable(name="GIZMO_COLOUR", default="red", values=("red",), accepts="`red`", doc="Its colour.")
    page = markdown("GIZMO", "gizmo-kit", more=[own])
    for variable in (*VARIABLES, own):
        assert page.count(f"| `{variable.named('GIZMO')}` |") == 1
    assert page.startswith("# Environment variables of gizmo-kit\n")
    assert "<PREFIX>" not in page
    assert page.endswith("|\n")
    columns = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert columns == {5}


def test_defaults_in_the_page_are_the_defaults_of_the_parser() -> None:
    settings = Settings()
    assert {variable.name: variable.default for variable in VARIABLES} == {
        "<PREFIX>_CLASSIFIER": settings.forced,
        "<PREFIX>_WARN": "1" if settings.warn else "0",
        "<PREFIX>_LOG": settings.log,
        "BACKEND_PRIORITY_CPU": str(settings.cpu_priority),
        "BACKEND_PRIORITY_GPU": str(settings.gpu_priority),
        "OMP_NUM_THREADS": "the number of physical cores",
        "OMP_WAIT_POLICY": "`active`, for 200 µs",
    }
