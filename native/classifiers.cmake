# Generated from classifiers.toml by `python -m variantkit matrix --write`; do not edit.
set(VARIANTKIT_DISTRIBUTION "ndkernels")
set(VARIANTKIT_PACKAGE "ndkernels")
set(VARIANTKIT_VERSION "0.1.0")
set(VARIANTKIT_BASE "generic")
set(VARIANTKIT_CLASSIFIERS generic onednn avx2 onednn-avx2 avx512 onednn-avx512)

# generic: any x86-64 machine; no AVX
set(VARIANTKIT_generic_LABEL "generic")
set(VARIANTKIT_generic_ROW "2dd1bd65b88ca6ce")
set(VARIANTKIT_generic_COMPILE_FLAGS_GNU "-march=x86-64" "-mtune=generic")
set(VARIANTKIT_generic_COMPILE_FLAGS_CLANG "-march=x86-64" "-mtune=generic")
set(VARIANTKIT_generic_LINK_FLAGS_GNU "")
set(VARIANTKIT_generic_LINK_FLAGS_CLANG "")

# onednn: any x86-64 machine; with oneDNN as a helper
set(VARIANTKIT_onednn_LABEL "onednn")
set(VARIANTKIT_onednn_ROW "91ab2a0952f243db")
set(VARIANTKIT_onednn_HELPERS onednn)
set(VARIANTKIT_onednn_COMPILE_FLAGS_GNU "-march=x86-64" "-mtune=generic")
set(VARIANTKIT_onednn_COMPILE_FLAGS_CLANG "-march=x86-64" "-mtune=generic")
set(VARIANTKIT_onednn_LINK_FLAGS_GNU "")
set(VARIANTKIT_onednn_LINK_FLAGS_CLANG "")

# avx2: Haswell, Zen 1 and later
set(VARIANTKIT_avx2_LABEL "avx2")
set(VARIANTKIT_avx2_ROW "5ff439bd6924946d")
set(VARIANTKIT_avx2_COMPILE_FLAGS_GNU "-march=x86-64-v3" "-mtune=haswell" "-mprefer-vector-width=256")
set(VARIANTKIT_avx2_COMPILE_FLAGS_CLANG "-march=x86-64-v3" "-mtune=haswell" "-mprefer-vector-width=256")
set(VARIANTKIT_avx2_LINK_FLAGS_GNU "-Wl,-z,x86-64-v3")
set(VARIANTKIT_avx2_LINK_FLAGS_CLANG "-Wl,-z,x86-64-v3")

# onednn-avx2: as avx2, with oneDNN as a helper
set(VARIANTKIT_onednn-avx2_LABEL "onednn_avx2")
set(VARIANTKIT_onednn-avx2_ROW "7f7bac7c06ac1fee")
set(VARIANTKIT_onednn-avx2_HELPERS onednn)
set(VARIANTKIT_onednn-avx2_COMPILE_FLAGS_GNU "-march=x86-64-v3" "-mtune=haswell" "-mprefer-vector-width=256")
set(VARIANTKIT_onednn-avx2_COMPILE_FLAGS_CLANG "-march=x86-64-v3" "-mtune=haswell" "-mprefer-vector-width=256")
set(VARIANTKIT_onednn-avx2_LINK_FLAGS_GNU "-Wl,-z,x86-64-v3")
set(VARIANTKIT_onednn-avx2_LINK_FLAGS_CLANG "-Wl,-z,x86-64-v3")

# avx512: Skylake-X, Ice Lake, Sapphire Rapids, Zen 4 and later
set(VARIANTKIT_avx512_LABEL "avx512")
set(VARIANTKIT_avx512_ROW "8f517e118105fe8d")
set(VARIANTKIT_avx512_COMPILE_FLAGS_GNU "-march=x86-64-v4" "-mtune=skylake-avx512" "-mprefer-vector-width=512")
set(VARIANTKIT_avx512_COMPILE_FLAGS_CLANG "-march=x86-64-v4" "-mtune=skylake-avx512" "-mprefer-vector-width=512")
set(VARIANTKIT_avx512_LINK_FLAGS_GNU "-Wl,-z,x86-64-v4")
set(VARIANTKIT_avx512_LINK_FLAGS_CLANG "-Wl,-z,x86-64-v4")

# onednn-avx512: as avx512, with oneDNN as a helper
set(VARIANTKIT_onednn-avx512_LABEL "onednn_avx512")
set(VARIANTKIT_onednn-avx512_ROW "04a4f92ca3b13434")
set(VARIANTKIT_onednn-avx512_HELPERS onednn)
set(VARIANTKIT_onednn-avx512_COMPILE_FLAGS_GNU "-march=x86-64-v4" "-mtune=skylake-avx512" "-mprefer-vector-width=512")
set(VARIANTKIT_onednn-avx512_COMPILE_FLAGS_CLANG "-march=x86-64-v4" "-mtune=skylake-avx512" "-mprefer-vector-width=512")
set(VARIANTKIT_onednn-avx512_LINK_FLAGS_GNU "-Wl,-z,x86-64-v4")
set(VARIANTKIT_onednn-avx512_LINK_FLAGS_CLANG "-Wl,-z,x86-64-v4")
