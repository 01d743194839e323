"""Metadata of wheel variants: made from matrices, combined, ranked, checked, and brought up to date from older drafts."""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from made_up_matrices import matrices
from tiny_wheels import matrix, row
from variantkit.errors import MatrixError, VariantError
from variantkit.matrix import Matrix
from variantkit.variant_migration import migrate
from variantkit.variant_problems import problems
from variantkit.variants import (
    CURRENT,
    FORMATS,
    PROVIDERS,
    combine,
    describe,
    dumps,
    for_label,
    index_filename,
    labels,
    preference,
)

SCHEMA = "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json"
AVX2 = row("avx2", 20)
AVX512 = row("avx512", 30, level="x86-64-v4")
ONEDNN = row("onednn-avx2", 25, {"x86_64": {"level": ["v3"]}, "dnnlib": {"library": ["onednn"]}})
CUDA = row(
    "cuda-13",
    10,
    {"nvidia": {"cuda_version_lower_bound": ["13.0"], "sm_arch": ["90_real", "120_real", "90_virtual"]}},
    device="cuda",
    level="x86-64",
)


# What is described


def test_two_levels_are_described_as_installers_demand() -> None:
    assert describe(matrix(AVX2, AVX512)) == {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": ["x86_64"]},
        "providers": {"x86_64": {"requires": ["x86-64-variant-provider>=0.2,<1"]}},
        "variants": {"avx2": {"x86_64": {"level": ["v3"]}}, "avx512": {"x86_64": {"level": ["v4"]}}, "null": {}},
    }


def test_the_keys_stand_in_the_order_of_the_format() -> None:
    assert list(describe(matrix(AVX2))) == ["$schema", "default-priorities", "providers", "variants"]


def test_software_is_a_namespace_that_carries_its_values_itself() -> None:
    document = describe(matrix(AVX2, ONEDNN, CUDA))
    assert document["default-priorities"]["namespace"] == ["nvidia", "x86_64", "dnnlib"]
    assert document["providers"] == {
        "nvidia": {
            "requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"],
            "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
        },
        "x86_64": {"requires": ["x86-64-variant-provider>=0.2,<1"]},
        "dnnlib": {"static-properties": {"library": ["onednn"]}},
    }
    assert document["variants"]["cuda_13"]["nvidia"]["sm_arch"] == ["120_real", "90_real", "90_virtual"]
    assert preference(document) == ["cuda_13", "onednn_avx2", "avx2", "null"]
    assert problems(document) == []


def test_several_features_of_software_come_in_the_order_of_the_rows() -> None:
    best = row("best", 30, {"dnnlib": {"library": ["onednn"], "api": ["sycl"]}})
    good = row("good", 20, {"dnnlib": {"library": ["acl"]}})
    provider = describe(matrix(good, best))["providers"]["dnnlib"]
    assert provider == {
        "static-properties": {"api": ["sycl"], "library": ["onednn", "acl"]},
        "feature-order": ["api", "library"],
    }


def test_a_device_goes_before_the_cpu_whatever_its_rank() -> None:
    assert list(labels(matrix(AVX512, CUDA, AVX2))) == ["cuda_13", "avx512", "avx2"]


def test_the_base_and_what_has_no_properties_are_no_variants() -> None:
    assert list(labels(matrix(row("plain", 5, {}), AVX2))) == ["avx2"]
    assert describe(matrix())["variants"] == {"null": {}}


def test_where_no_order_of_namespaces_ranks_as_the_rows_a_namespace_of_our_own_does() -> None:
    # By its level, avx512 would go before the row that is ranked higher.
    onednn = row("onednn-avx2", 40, {"x86_64": {"level": ["v3"]}, "dnnlib": {"library": ["onednn"]}})
    mkl = row("mkl-avx512", 20, {"x86_64": {"level": ["v4"]}, "dnnlib": {"library": ["mkl"]}}, level="x86-64-v4")
    plain = row("plain", 30, {"dnnlib": {"library": ["mkl"]}})
    document = describe(matrix(onednn, plain, mkl))
    assert document["default-priorities"]["namespace"] == ["priority", "dnnlib", "x86_64"]
    assert document["providers"]["priority"] == {"static-properties": {"rank": ["1", "2", "3"]}}
    assert preference(document) == ["onednn_avx2", "plain", "mkl_avx512", "null"]
    assert problems(document) == []


def test_two_rows_of_the_same_properties_are_told_apart() -> None:
    # Alphabetically they stand as they are ranked; yet one label only may stand for a set of properties.
    document = describe(matrix(row("a", 20), row("b", 10)))
    assert preference(document) == ["a", "b", "null"]
    assert problems(document) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (row("wrong", 10, {"x86_64": {"level": ["v4"]}}), "it says x86_64 level v4, and the compiler is asked for x86-64-v3"),
        (row("wrong", 10, {"x86_64": {"level": ["v3", "v4"]}}), "it says x86_64 level v3, v4"),
        (row("wrong", 10, {"x86_64": {"level": ["v2"]}}, level="x86-64"), "level v2, and the compiler is asked for x86-64,"),
        (row("wrong", 10, {"dnnlib": {"library": ["oneDNN"]}}), "Spell it so"),
        (row("wrong", 10, {"dnn-lib": {"library": ["onednn"]}}), "Spell it so"),
        (row("wrong", 10, {"dnnlib": {"library.x": ["onednn"]}}), "Spell it so"),
        (row("wrong", 10, {"dnnlib": {"library": ["onednn\n"]}}), "Spell it so"),
        (row("wrong", 10, {"dnnlib": {}}), "says nothing"),
        (row("wrong", 10, {"dnnlib": {"library": []}}), "says nothing"),
        (row("null", 10), "Call the row otherwise"),
    ],
)  # fmt: skip
def test_properties_that_contradict_the_row_or_are_none(wrong: Any, message: str) -> None:
    with pytest.raises(MatrixError, match=rf'row "{wrong.name}", key "variant": .*{re.escape(message)}'):
        describe(matrix(AVX2, wrong))


def test_the_baseline_is_level_v1() -> None:
    assert describe(matrix(row("slow", 1, level="x86-64")))["variants"]["slow"] == {"x86_64": {"level": ["v1"]}}


def test_a_namespace_that_has_the_name_of_ours() -> None:
    first = row("b", 20, {"priority": {"rank": ["2"]}})
    second = row("a", 10, {"priority": {"rank": ["2"]}})
    with pytest.raises(MatrixError, match="The namespace priority is needed"):
        describe(matrix(first, second))


def test_an_older_format_has_no_providers() -> None:
    document = describe(matrix(AVX2), "0.1.1")
    assert document["$schema"] == "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
    assert "providers" not in document
    assert problems(document) == []


@settings(max_examples=40)
@given(matrices())
def test_installers_rank_any_matrix_as_it_ranks_itself(made_up: Matrix) -> None:
    document = describe(made_up)
    assert problems(document) == []
    assert preference(document) == [*labels(made_up), "null"]
    assert migrate(document) == document
    for label in document["variants"]:
        assert problems(for_label(document, label), label) == []


@settings(max_examples=30)
@given(matrices(), st.randoms())
def test_the_wheels_together_say_what_the_release_says_in_any_order(made_up: Matrix, random: Any) -> None:
    document = describe(made_up)
    own = [for_label(document, label) for label in document["variants"]]
    text = dumps(combine(own))
    assert json.loads(text) == document
    random.shuffle(own)
    assert dumps(combine(own)) == text
    assert dumps(combine([combine(own[:1]), *own])) == text


# Several into one


def described(variants: dict[str, Any], namespaces: tuple[str, ...] = ("x86_64",), **more: Any) -> dict[str, Any]:
    """Return a document with the providers that its namespaces need."""
    static = {"static-properties": {"library": ["onednn", "mkl"]}}
    return {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": list(namespaces)},
        "providers": {name: PROVIDERS.get(name, static) for name in namespaces},
        "variants": variants,
        **more,
    }


V3 = {"x86_64": {"level": ["v3"]}}
V4 = {"x86_64": {"level": ["v4"]}}


def test_one_may_know_more_namespaces_than_the_other() -> None:
    short, long = described({"avx2": V3}), described({"avx512": V4}, ("x86_64", "dnnlib"))
    for order in itertools.permutations([short, long]):
        merged = combine(order)
        assert merged["default-priorities"] == {"namespace": ["x86_64", "dnnlib"]}
        assert list(merged["providers"]) == ["x86_64", "dnnlib"]
        assert list(merged["variants"]) == ["avx2", "avx512"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (described({"avx2": V4}), "The label avx2 stands for different properties"),
        (described({"x": V4}, ("dnnlib", "x86_64")), "order the namespaces differently"),
        (described({"x": V4}, ("dnnlib",)), "order the namespaces differently"),
        (described({"x": V4}, providers={"x86_64": {"requires": ["other"]}}), "describe the provider of x86_64 differently"),
        (described({"x": V4}, **{"$schema": FORMATS["0.1.1"].schema}), "metadata of different formats"),
    ],
)  # fmt: skip
def test_wheels_that_contradict_each_other(other: dict[str, Any], message: str) -> None:
    one, third = described({"avx2": V3}), described({"null": {}})
    for order in itertools.permutations([one, other, third]):
        with pytest.raises(VariantError, match=message):
            combine(order)


def test_sets_are_equal_whatever_their_order() -> None:
    one = described({"a": {"dnnlib": {"library": ["mkl", "onednn"]}}}, ("dnnlib",))
    other = described({"a": {"dnnlib": {"library": ["onednn", "mkl"]}}}, ("dnnlib",))
    assert combine([one, other]) == combine([other, one]) == one


def test_nothing_cannot_be_combined() -> None:
    with pytest.raises(VariantError, match="There are no variants to combine"):
        combine([])


def test_the_documents_stay_as_they_are() -> None:
    documents = [described({"avx2": V3}), described({"avx512": V4})]
    before = copy.deepcopy(documents)
    combine(documents)
    assert documents == before


def test_the_file_of_an_index_is_called_as_its_wheels() -> None:
    assert index_filename("foo_bar", "1.2.3") == "foo_bar-1.2.3-variants.json"


# The order in which installers take them


def test_the_example_of_the_experiments_onednn_beats_avx2_and_avx512_beats_both() -> None:
    onednn = {"x86_64": {"level": ["v3"]}, "dnnlib": {"library": ["onednn"]}}
    document = described({"avx2": V3, "onednn": onednn, "null": {}}, ("x86_64", "dnnlib"))
    assert preference(document) == ["onednn", "avx2", "null"]
    document["variants"]["avx512"] = V4
    assert preference(document) == ["avx512", "onednn", "avx2", "null"]


def test_the_alphabet_decides_last_and_the_order_of_the_labels_never() -> None:
    cuda = {"nvidia": {"sm_arch": ["90_real"]}}
    more = {"nvidia": {"sm_arch": ["80_real"], "cuda_version_lower_bound": ["12.0"]}}
    twin = {"nvidia": {"sm_arch": ["90_real", "90_virtual"]}}
    for order in itertools.permutations({"z": cuda, "more": more, "twin": twin, "null": {}}.items()):
        # A bound on the driver is the first feature of its provider, and 90_real goes before 90_virtual.
        assert preference(described(dict(order), ("nvidia",))) == ["more", "twin", "z", "null"]


def test_levels_and_versions_are_numbers() -> None:
    bounds = {
        name: {"nvidia": {"cuda_version_lower_bound": [name[1:]]}} for name in ("v12", "v12.0", "v12.9", "v12.10")
    }
    assert preference(described(bounds, ("nvidia",))) == ["v12.10", "v12.9", "v12.0", "v12"]


# What is wrong with a document


GOOD = described({"avx2": V3, "onednn": {**V3, "dnnlib": {"library": ["onednn"]}}, "null": {}}, ("x86_64", "dnnlib"))


def changed(*path: str, to: Any) -> dict[str, Any]:
    """Return the good document with another value in one place."""
    document = copy.deepcopy(GOOD)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document


def test_a_good_document_has_no_problems() -> None:
    assert problems(GOOD) == []
    assert problems(for_label(GOOD, "avx2"), "avx2") == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "it is not a JSON object"),
        ([], "it is not a JSON object"),
        ({}, "it has no '$schema'"),
        ({**GOOD, "more": 1}, "it has the unknown key 'more'"),
        ({**GOOD, "$schema": "https://variants-schema.wheelnext.dev/v0.0.3.json"}, "brings it up to date"),
        ({**GOOD, "$schema": ["a"]}, "its format ['a'] is not known"),
        ({**GOOD, "$schema": FORMATS["0.1.1"].schema}, "'providers' contradict"),
        ({key: value for key, value in GOOD.items() if key != "providers"}, "'providers' contradict"),
        ({**GOOD, "default-priorities": []}, "no namespace with a list of strings"),
        ({**GOOD, "default-priorities": {}}, "no namespace with a list of strings"),
        (changed("default-priorities", "namespace", to="abc"), "no namespace with a list of strings"),
        (changed("default-priorities", "namespace", to=["x86_64", 1]), "no namespace with a list of strings"),
        (changed("default-priorities", "feature", to={}), "where only namespace may be"),
        (changed("default-priorities", "namespace", to=[]), "is empty, or names one twice"),
        (changed("default-priorities", "namespace", to=["x86_64", "x86_64"]), "is empty, or names one twice"),
        (changed("default-priorities", "namespace", to=["x86_64", "dnnlib\n"]), "the namespace 'dnnlib\\n' may have"),
        (changed("default-priorities", "namespace", to=["x86_64"]), "do not have the same namespaces"),
        ({**GOOD, "providers": []}, "providers is not an object of objects"),
        (changed("providers", "x86_64", to=None), "providers is not an object of objects"),
        (changed("providers", "x86_64", to={"requires": ["x86-64-variant-provider>=0.3"]}), "not the one that uv has"),
        (changed("providers", "dnnlib", to={}), "has 0 of requires, static-properties and builtin"),
        (changed("providers", "dnnlib", "requires", to=["x"]), "has 2 of requires, static-properties and builtin"),
        (changed("providers", "dnnlib", "enable-if", to="x"), "has the unknown key 'enable-if'"),
        (changed("providers", "dnnlib", "optional", to=1), "neither true nor false"),
        (changed("providers", "dnnlib", to={"requires": "x"}), "requires that is not a list of strings"),
        (changed("providers", "dnnlib", to={"requires": []}), "which are no requirements"),
        (changed("providers", "dnnlib", to={"requires": ["a b c"]}), "which are no requirements"),
        (changed("providers", "dnnlib", to={"requires": ["x"], "plugin-api": 1}), "plugin-api that is not a string"),
        (changed("providers", "dnnlib", "plugin-api", to="x:y"), "requires nothing that could have it"),
        (changed("providers", "dnnlib", to={"requires": ["x"], "feature-order": ["a"]}), "no static properties to be ordered"),
        (changed("providers", "dnnlib", to={"builtin": "magic"}), "only abi_dependency is"),
        (changed("providers", "dnnlib", to={"builtin": None}), "builtin that is not a string"),
        (changed("providers", "dnnlib", "static-properties", to=None), "not lists of strings by feature"),
        (changed("providers", "dnnlib", "static-properties", to={"library": "onednn"}), "not lists of strings by feature"),
        (changed("providers", "dnnlib", "static-properties", to={}), "has no static properties"),
        (changed("providers", "dnnlib", "static-properties", "library", to=[]), "a feature without values"),
        (changed("providers", "dnnlib", "static-properties", "library", to=["onednn"] * 2), "one of them twice"),
        (changed("providers", "dnnlib", "static-properties", "library", to=["onednn", "A"]), "misspelt"),
        (changed("providers", "dnnlib", "static-properties", "library", to=["mkl"]), "asks for dnnlib :: library :: onednn"),
        (changed("providers", "dnnlib", "static-properties", "api", to=["x"]), "needs a feature-order"),
        (changed("providers", "dnnlib", "feature-order", to=["library", "library"]), "needs a feature-order"),
        ({**GOOD, "variants": []}, "variants is not an object"),
        (changed("variants", "avx2", to=None), "the variant avx2 is not shaped"),
        (changed("variants", "avx2", to={"x86_64": ["v3"]}), "the variant avx2 is not shaped"),
        (changed("variants", "avx2", to={"x86_64": {"level": "v3"}}), "the variant avx2 is not shaped"),
        (changed("variants", "avx2", to={"x86_64": {"level": [3]}}), "the variant avx2 is not shaped"),
        (changed("variants", "avx2\n", to=V4), "the label 'avx2\\n' may have"),
        (changed("variants", "empty", to={}), "that label, and no other, is for a variant without"),
        (changed("variants", "null", to=V4), "null has properties"),
        (changed("variants", "twin", to=V3), "the labels avx2 and twin stand for the same properties"),
        (changed("variants", "avx2", to={"x": {"y": ["z"]}}), "which default-priorities does not name"),
        (changed("variants", "avx2", to={"x86_64": {}}), "no feature of it"),
        (changed("variants", "avx2", "x86_64", to={"level": []}), "sorted, different and at least one"),
        (changed("variants", "avx2", "x86_64", to={"level": ["v4", "v3"]}), "sorted, different and at least one"),
        (changed("variants", "avx2", "x86_64", to={"level": ["v3", "v3"]}), "sorted, different and at least one"),
        (changed("variants", "avx2", "x86_64", to={"le.vel": ["v3"]}), "a letter other than a-z, 0-9 and _"),
        (changed("variants", "avx2", "x86_64", to={"level": ["v3+"]}), "a value with a letter other than"),
    ],
)  # fmt: skip
def test_what_installers_would_stumble_over(document: Any, message: str) -> None:
    assert message in "\n".join(problems(document))


def test_a_wheel_describes_its_own_label_and_no_other() -> None:
    assert problems(GOOD, "avx2") == ["it describes avx2, onednn, null, and the wheel's label is avx2"]
    assert problems({**GOOD, "variants": {}}, "avx2") == ["it describes nothing, and the wheel's label is avx2"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["", "v3", "x86_64", "dnnlib", "null", "a\n"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["library", "x86_64", "requires", "namespace", "level", "v3", ""]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, good: Any) -> Any:
    """Return a document with anything at all in one or two places."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 2))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.integers(0, 2)) == 0:
                place[key] = draw(json_values)
                break
            place = place[key]
    return document


@settings(max_examples=80)
@given(json_values | spoilt(GOOD), st.none() | st.sampled_from(["avx2", "null", ""]))
def test_whatever_is_in_a_document_is_a_problem_or_none(document: Any, label: str | None) -> None:
    found = problems(document, label)
    assert all(isinstance(each, str) for each in found)
    if not found:
        # So the others may rely on it.
        assert set(preference(document)) == set(document["variants"])
        assert combine([document, document])["variants"] == document["variants"]
        assert migrate(document) == document


# Older drafts


PYTORCH_LIKE = {
    "$schema": "https://variants-schema.wheelnext.dev/v0.0.3.json",
    "default-priorities": {
        "namespace": ["priority", "nvidia", "rocm"],
        "feature": {"nvidia": ["cuda_version_lower_bound", "sm_arch"], "priority": ["order", "other"]},
        "property": {"priority": {"order": ["2", "1"]}, "nvidia": {"sm_arch": ["90_real"]}},
    },
    "providers": {
        "nvidia": {
            "enable-if": "platform_system == 'Linux'",
            "install-time": True,
            "optional": False,
            "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
            "requires": ["nvidia-variant-provider>=0.0.2,<1.0.0"],
        },
        "priority": {"install-time": False, "requires": ["nothing"]},
        "rocm": {"requires": ["rocm-variant-provider>=1"], "plugin-api": "rocm:Plugin", "install-time": True},
    },
    "static-properties": {"priority": {"other": ["x"], "order": ["1", "2"]}},
    "variants": {
        "cuda12.6": {"nvidia": {"cuda_version_lower_bound": ["12.0"]}, "priority": {"order": ["1"]}},
        "cuda12.8": {"priority": {"order": ["2"]}, "nvidia": {"cuda_version_lower_bound": ["12.0"]}},
        "rocm7.0": {"rocm": {"version": ["7.0"]}},
        "null": {},
    },
}

OLD_PROVIDERS = {
    "$schema": "https://variants-schema.wheelnext.dev/v0.0.2.json",
    "default-priorities": {"namespace": ["x86_64", "aarch64"]},
    "providers": {
        "x86_64": {"requires": ["provider-variant-x86-64>=0.0.1"], "enable-if": "platform_machine == 'x86_64'"},
        "aarch64": {"requires": ["provider-variant-aarch64"], "plugin-api": "provider_variant_aarch64.plugin:Plugin"},
    },
    "variants": {"avx2": V3, "armv9": {"aarch64": {"version": ["9a", "8a"]}}},
}

WITHOUT_PROVIDERS = {
    "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
    "default-priorities": {"namespace": ["x86_64", "unused", "dnnlib"]},
    "variants": {"onednn": {**V3, "dnnlib": {"library": ["onednn"]}}, "null": {}},
}

VARIANTLIB = {
    "$schema": "https://variants-schema.wheelnext.dev/v0.2.0.json",
    "default-priorities": {"namespace": ["nvidia", "x86_64", "dnnlib"]},
    "providers": {
        "nvidia": {
            "requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"],
            "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
        },
        "x86_64": {"requires": ["x86-64-variant-provider>=0.2,<1"]},
        "dnnlib": {
            "static-properties": {"library": ["onednn", "mkl"], "api": ["c"]},
            "feature-order": ["api", "library"],
            "optional": True,
        },
    },
    "variants": {"onednn": {**V3, "dnnlib": {"library": ["onednn"]}}},
}


def test_from_the_draft_that_pytorch_published() -> None:
    assert migrate(PYTORCH_LIKE) == {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": ["priority", "nvidia", "rocm"]},
        "providers": {
            # Static values keep the order that the priorities gave them.
            "priority": {
                "static-properties": {"order": ["2", "1"], "other": ["x"]},
                "feature-order": ["order", "other"],
            },
            "nvidia": PROVIDERS["nvidia"],
            "rocm": {"requires": ["rocm-variant-provider>=1"], "plugin-api": "rocm:Plugin"},
        },
        "variants": PYTORCH_LIKE["variants"],
    }


def test_old_names_of_providers_become_those_that_installers_know() -> None:
    document = migrate(OLD_PROVIDERS)
    assert document["providers"] == {"x86_64": PROVIDERS["x86_64"], "aarch64": PROVIDERS["aarch64"]}
    assert document["variants"]["armv9"] == {"aarch64": {"version": ["8a", "9a"]}}


def test_what_had_no_providers_gets_them_and_loses_namespaces_that_nothing_describes() -> None:
    document = migrate(WITHOUT_PROVIDERS)
    assert document["default-priorities"] == {"namespace": ["x86_64", "dnnlib"]}
    assert document["providers"]["dnnlib"] == {"static-properties": {"library": ["onednn"]}}


def test_what_variantlib_writes_differs_in_its_schema_only() -> None:
    assert migrate(VARIANTLIB) == {**VARIANTLIB, "$schema": SCHEMA}
    assert migrate(VARIANTLIB)["providers"]["dnnlib"]["feature-order"] == ["api", "library"]


def test_what_an_installer_does_itself_stays() -> None:
    document = described({"a": {"abi_dependency": {"torch": ["2.10"]}}}, ("abi_dependency",))
    document["providers"] = {"abi_dependency": {"builtin": "abi_dependency", "install-time": True}}
    assert migrate(document)["providers"] == {"abi_dependency": {"builtin": "abi_dependency"}}


@pytest.mark.parametrize(
    "old", [PYTORCH_LIKE, OLD_PROVIDERS, WITHOUT_PROVIDERS, VARIANTLIB], ids=["0.0.3", "0.0.2", "0.1.1", "variantlib"]
)
def test_once_is_enough_and_installers_take_it(old: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    document = migrate(old)
    assert problems(document) == []
    assert document["$schema"] == FORMATS[CURRENT].schema
    assert dumps(migrate(document)) == dumps(document)
    assert old == before


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "This is not metadata of wheel variants"),
        ({"variants": []}, "This is not metadata of wheel variants"),
        ({"name": "demo"}, "This is not metadata of wheel variants"),
        ({**VARIANTLIB, "environment": {}}, "The key 'environment' was never part of the format"),
        ({"variants": {}}, "This cannot be brought up to date"),
        (
            {**VARIANTLIB, "variants": {"avx2": V3, "twin": V3}},
            "the labels avx2 and twin stand for the same properties",
        ),
        ({**VARIANTLIB, "variants": {"onednn": {"dnnlib": {"library": ["acl"]}}}}, "do not have. Assemble"),
        ({**VARIANTLIB, "variants": {"AVX2": V3}}, "the label 'AVX2' may have"),
        ({**VARIANTLIB, "variants": {"avx2": {"x86_64": 3}}}, "not shaped as any draft"),
        ({**VARIANTLIB, "providers": [1]}, "not shaped as any draft"),
        ({**VARIANTLIB, "default-priorities": "x"}, "not shaped as any draft"),
    ],
)
def test_what_cannot_be_brought_up_to_date(document: Any, message: str) -> None:
    with pytest.raises(VariantError, match=re.escape(message)):
        migrate(document)


@settings(max_examples=80)
@given(json_values | spoilt(PYTORCH_LIKE) | spoilt(VARIANTLIB) | spoilt(WITHOUT_PROVIDERS))
@example({**VARIANTLIB, "variants": {"a": {"x86_64": {"level": [{}]}}}})
@example({**PYTORCH_LIKE, "static-properties": {"priority": [True]}})
def test_hostile_metadata_is_a_variant_error_or_comes_out_right(document: Any) -> None:
    try:
        migrated = migrate(document)
    except VariantError as error:
        assert str(error).endswith(".")  # noqa: PT017 -- it may also be right still
        return
    assert problems(migrated) == []
    assert migrate(migrated) == migrated


def test_any_format_that_can_be_written_is_known() -> None:
    for version in FORMATS:
        document = describe(matrix(AVX2, ONEDNN), version)
        assert problems(document) == []
        assert problems(migrate(document)) == []
