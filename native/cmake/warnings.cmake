# SPDX-License-Identifier: Apache-2.0
# The warnings that our own code is free of. CMAKE_COMPILE_WARNING_AS_ERROR turns them into errors (our builds do).
function(ndkernels_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
endfunction()
