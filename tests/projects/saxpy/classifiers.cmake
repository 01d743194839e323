# Generated from classifiers.toml by `python -m variantkit matrix --write`; do not edit.
set(VARIANTKIT_DISTRIBUTION "saxpy")
set(VARIANTKIT_PACKAGE "saxpy")
set(VARIANTKIT_VERSION "1.2.3")
set(VARIANTKIT_BASE "sse2")
set(VARIANTKIT_CLASSIFIERS sse2 fast-v2)

# sse2: any x86-64 machine
set(VARIANTKIT_sse2_LABEL "sse2")
set(VARIANTKIT_sse2_ROW "f3988e634162958a")
set(VARIANTKIT_sse2_COMPILE_FLAGS_GNU "-O2")
set(VARIANTKIT_sse2_COMPILE_FLAGS_CLANG "-O2")
set(VARIANTKIT_sse2_LINK_FLAGS_GNU "")
set(VARIANTKIT_sse2_LINK_FLAGS_CLANG "")

# fast-v2: Nehalem, Bulldozer and later
set(VARIANTKIT_fast-v2_LABEL "fast_v2")
set(VARIANTKIT_fast-v2_ROW "e91bdb970fb81089")
set(VARIANTKIT_fast-v2_COMPILE_FLAGS_GNU "-O3" "-march=x86-64-v2")
set(VARIANTKIT_fast-v2_COMPILE_FLAGS_CLANG "-O3" "-march=x86-64-v2")
set(VARIANTKIT_fast-v2_LINK_FLAGS_GNU "-Wl,-z,x86-64-v2")
set(VARIANTKIT_fast-v2_LINK_FLAGS_CLANG "-Wl,-z,x86-64-v2")
