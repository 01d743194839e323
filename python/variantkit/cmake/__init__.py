"""CMake package `variantkit`, found through scikit-build-core's entry point `cmake.root`."""
