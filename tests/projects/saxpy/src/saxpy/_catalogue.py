"""The classifiers of saxpy 1.2.3: what the loader can choose from.

Generated from classifiers.toml by `python -m variantkit matrix --write`; do not edit.
"""

from variantkit.catalogue import Catalogue, Classifier

__all__ = ["CATALOGUE"]

CATALOGUE = Catalogue(
    distribution="saxpy",
    package="saxpy",
    version="1.2.3",
    base="sse2",
    prefix="SAXPY",
    cpuid="",
    opener="",
    self_test="saxpy._selftest:self_test",
    classifiers=(
        Classifier(
            name="sse2",
            summary="any x86-64 machine",
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
            name="fast-v2",
            summary="Nehalem, Bulldozer and later",
            rank=1,
            device="cpu",
            platforms=("linux-x86_64",),
            level="x86-64-v2",
            features=frozenset(
                {
                    "cmov",
                    "cx16",
                    "cx8",
                    "fpu",
                    "fxsr",
                    "lahf_lm",
                    "mmx",
                    "pni",
                    "popcnt",
                    "sse",
                    "sse2",
                    "sse4_1",
                    "sse4_2",
                    "ssse3",
                }
            ),
        ),
    ),
)
