"""Matrices of all kinds, for properties that must hold for any project's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tiny_wheels import matrix, row

if TYPE_CHECKING:
    from variantkit.matrix import Matrix

__all__ = ["BEST_FIRST", "matrices"]

BEST_FIRST = {
    "nvidia": {
        "cuda_version_lower_bound": ["13.0", "12.10", "12.8", "12"],
        "sm_arch": ["120_real", "90_real", "90_virtual", "80_real"],
    },
    "x86_64": {"level": ["v4", "v3", "v2", "v1"]},
}
"""What a machine has that has everything, in the order of its providers, which is not this project's to choose."""

_NVIDIA = BEST_FIRST["nvidia"]

_properties = st.fixed_dictionaries(
    {},
    optional={
        "x86_64": st.just({"level": ["v3"]}),
        "nvidia": st.fixed_dictionaries(
            {
                "cuda_version_lower_bound": st.sampled_from(_NVIDIA["cuda_version_lower_bound"]).map(
                    lambda value: [value]
                )
            },
            optional={"sm_arch": st.lists(st.sampled_from(_NVIDIA["sm_arch"]), min_size=1, unique=True)},
        ),
        "dnnlib": st.dictionaries(
            st.sampled_from(["library", "api"]),
            st.lists(st.sampled_from(["onednn", "mkl", "1.10", "1.9"]), min_size=1, max_size=3, unique=True),
            min_size=1,
        ),
        "blas": st.just({"provider": ["openblas"]}),
    },
).filter(bool)


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Rows with levels, devices and choices of software, ranked in any way."""
    rows = draw(st.lists(st.tuples(_properties, st.sampled_from(["cpu", "cuda"])), min_size=1, max_size=5))
    ranks = draw(st.permutations(range(1, len(rows) + 1)))
    names = draw(st.permutations(["a", "b-c", "d", "e", "fgh"]))
    made = zip(names, ranks, rows, strict=False)
    return matrix(*(row(name, rank, variant, device=device) for name, rank, (variant, device) in made))
