"""The classifiers of ndkernels 0.1.0: what the loader can choose from.

Generated from classifiers.toml by `python -m variantkit matrix --write`; do not edit.
"""

from variantkit.catalogue import Catalogue, Classifier
from variantkit.environment import Variable

__all__ = ["CATALOGUE"]

CATALOGUE = Catalogue(
    distribution="ndkernels",
    package="ndkernels",
    version="0.1.0",
    base="generic",
    prefix="NDKERNELS",
    cpuid="ndkernels._binding:cpuid",
    opener="ndkernels._binding:open_library",
    self_test="ndkernels._selftest:self_test",
    variables=(
        Variable(
            name="NDKERNELS_HELPERS",
            default="auto",
            values=("off", "auto", "openblas", "mkl"),
            accepts="`off`, `auto`, `openblas` or `mkl`",
            doc="Whether other libraries compute what they can ([helpers.md](helpers.md)): none, those that measurements say are faster, or this one.",
        ),
        Variable(
            name="NDKERNELS_BLAS",
            default="",
            values=("own", "openblas", "mkl"),
            accepts="`own`, `openblas` or `mkl`",
            doc="Matrix products by the own kernels or by this BLAS, which is an error where it is not installed.",
        ),
    ),
    classifiers=(
        Classifier(
            name="generic",
            summary="any x86-64 machine; no AVX",
            rank=0,
            device="cpu",
            platforms=("linux-x86_64",),
            level="x86-64",
            features=frozenset(
                {
                    "cmov",
                    "cx8",
                    "fpu",
                    "fxsr",
                    "mmx",
                    "sse",
                    "sse2",
                }
            ),
        ),
        Classifier(
            name="avx2",
            summary="Haswell, Zen 1 and later",
            rank=20,
            device="cpu",
            platforms=("linux-x86_64",),
            level="x86-64-v3",
            features=frozenset(
                {
                    "abm",
                    "avx",
                    "avx2",
                    "bmi1",
                    "bmi2",
                    "cmov",
                    "cx16",
                    "cx8",
                    "f16c",
                    "fma",
                    "fpu",
                    "fxsr",
                    "lahf_lm",
                    "mmx",
                    "movbe",
                    "pni",
                    "popcnt",
                    "sse",
                    "sse2",
                    "sse4_1",
                    "sse4_2",
                    "ssse3",
                    "xsave",
                }
            ),
        ),
        Classifier(
            name="avx512",
            summary="Skylake-X, Ice Lake, Sapphire Rapids, Zen 4 and later",
            rank=30,
            device="cpu",
            platforms=("linux-x86_64",),
            level="x86-64-v4",
            features=frozenset(
                {
                    "abm",
                    "avx",
                    "avx2",
                    "avx512bw",
                    "avx512cd",
                    "avx512dq",
                    "avx512f",
                    "avx512vl",
                    "bmi1",
                    "bmi2",
                    "cmov",
                    "cx16",
                    "cx8",
                    "f16c",
                    "fma",
                    "fpu",
                    "fxsr",
                    "lahf_lm",
                    "mmx",
                    "movbe",
                    "pni",
                    "popcnt",
                    "sse",
                    "sse2",
                    "sse4_1",
                    "sse4_2",
                    "ssse3",
                    "xsave",
                }
            ),
        ),
    ),
)
