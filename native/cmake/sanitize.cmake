# SPDX-License-Identifier: Apache-2.0
# -DNDK_SANITIZE=address,undefined (or thread) builds libraries and binding for the sanitizers: never for a wheel.
set(NDK_SANITIZE "" CACHE STRING "What -fsanitize= gets: address,undefined or thread")

function(ndkernels_sanitize target)
  if(NDK_SANITIZE)
    # -O1 after the target's own -O3: it finds the same, and compiles in a third of the time. GCC fuses products and sums,
    # which functions with FMA count on, among its expensive optimizations only.
    target_compile_options(${target} PRIVATE -O1 $<$<CXX_COMPILER_ID:GNU>:-fexpensive-optimizations> -fsanitize=${NDK_SANITIZE}
                                             -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
    target_link_options(${target} PRIVATE -fsanitize=${NDK_SANITIZE})
  endif()
endfunction()
