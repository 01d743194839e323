"""The order of variants, against that of the reference library for wheel variants."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from variantlib.models.variant import VariantDescription, VariantProperty
from variantlib.resolver.lib import sort_and_filter_supported_variants
from variantlib.variants_json import VariantsJson

from made_up_matrices import BEST_FIRST, matrices
from variantkit.matrix import Matrix, read_matrix
from variantkit.variants import Document, combine, describe, for_label, labels, preference


def sorted_by_variantlib(document: Document) -> list[str]:
    """Return the labels as variantlib orders them on a machine that has everything that the providers know."""
    supported = []
    for namespace, provider in document["providers"].items():
        features = provider.get("static-properties") or BEST_FIRST[namespace]
        for feature in provider.get("feature-order", features):
            supported += [VariantProperty(namespace, feature, value) for value in features[feature]]
    descriptions = [
        VariantDescription(
            [
                VariantProperty(namespace, feature, value)
                for namespace, features in properties.items()
                for feature, values in features.items()
                for value in values
            ],
            label,
        )
        for label, properties in document["variants"].items()
    ]
    order = document["default-priorities"]["namespace"]
    return [each.label for each in sort_and_filter_supported_variants(descriptions, supported, order)]


@settings(max_examples=50, deadline=None)
@given(matrices(), st.randoms())
def test_variantlib_orders_any_matrix_as_it_ranks_itself(matrix: Matrix, random: object) -> None:
    document = describe(matrix)
    assert sorted_by_variantlib(document) == preference(document) == [*labels(matrix), "null"]
    # Other orders of the namespaces are as good for the comparison, and so are other orders of the labels.
    namespaces, variants = document["default-priorities"]["namespace"], list(document["variants"].items())
    random.shuffle(namespaces)
    random.shuffle(variants)
    other = {**document, "default-priorities": {"namespace": namespaces}, "variants": dict(variants)}
    assert sorted_by_variantlib(other) == preference(other)


@settings(max_examples=20, deadline=None)
@given(matrices())
def test_variantlib_reads_what_is_written(matrix: Matrix) -> None:
    document = describe(matrix)
    read = VariantsJson(combine([for_label(document, label) for label in document["variants"]]))
    assert set(read.variants) == set(document["variants"])
    assert read.namespace_priorities == document["default-priorities"]["namespace"]


def test_variantlib_orders_the_variants_of_this_tree(root: Path) -> None:
    document = describe(read_matrix(root))
    assert sorted_by_variantlib(document) == ["avx512", "avx2", "null"]
