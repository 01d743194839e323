# SPDX-License-Identifier: Apache-2.0
#
# find_package(variantkit): build one kernel library per classifier.
#
#   find_package(variantkit REQUIRED)
#   include(classifiers.cmake)                 # generated from classifiers.toml
#   variantkit_add_library(ABI 1.0 SOURCES kernels.cpp)
#
# VARIANTKIT_WHEEL says which wheel is being built: "base" (the default) or the name of a classifier. The build backend
# sets it (`pip wheel . -C classifier=avx2`), and each generated preset does.

set(VARIANTKIT_WHEEL "base" CACHE STRING "The wheel to build: base, or the name of a classifier")
set(VARIANTKIT_PREBUILT_DIR "" CACHE PATH
    "Take the base wheel's library from here (<classifier>/MANIFEST and the library) and do not compile it again")

# Sets <out> to the classifier whose library goes into the wheel that is being built.
function(variantkit_classifier out)
  if(VARIANTKIT_WHEEL STREQUAL "base")
    set(name "${VARIANTKIT_BASE}")
  else()
    set(name "${VARIANTKIT_WHEEL}")
  endif()
  if(NOT name IN_LIST VARIANTKIT_CLASSIFIERS)
    list(JOIN VARIANTKIT_CLASSIFIERS ", " known)
    message(FATAL_ERROR "VARIANTKIT_WHEEL=${name} is not a classifier of ${VARIANTKIT_DISTRIBUTION}.\n"
                        "Set it to base or to one of: ${known}.")
  endif()
  set(${out} "${name}" PARENT_SCOPE)
endfunction()

# variantkit_flags(<out> <classifier> COMPILE|LINK)
#
# Sets <out> to the flags that classifiers.toml has for that classifier and for the compiler in use.
function(variantkit_flags out name kind)
  string(TOUPPER "${CMAKE_CXX_COMPILER_ID}" compiler)
  string(REGEX REPLACE "^APPLECLANG$" "CLANG" compiler "${compiler}")
  if(NOT DEFINED "VARIANTKIT_${name}_${kind}_FLAGS_${compiler}")
    message(FATAL_ERROR "classifiers.toml has no flags for ${CMAKE_CXX_COMPILER_ID} in the row \"${name}\".\n"
                        "Add them to compile-flags and link-flags there, and run: python -m variantkit matrix --write")
  endif()
  set(${out} "${VARIANTKIT_${name}_${kind}_FLAGS_${compiler}}" PARENT_SCOPE)
endfunction()

# variantkit_add_library(ABI <major.minor> SOURCES <file>... [DEFINITIONS <definition>...])
#
# Adds the kernel library of the wheel that is being built, compiled with its classifier's flags, and installs it with
# its MANIFEST. The target is called <package>_kernels; there is none when a prebuilt library is taken.
function(variantkit_add_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "ABI" "SOURCES;DEFINITIONS")
  if(NOT arg_ABI OR NOT arg_SOURCES)
    message(FATAL_ERROR "variantkit_add_library needs ABI <major.minor> and SOURCES <file>...")
  endif()
  variantkit_classifier(name)
  set(label "${VARIANTKIT_${name}_LABEL}")
  if(VARIANTKIT_WHEEL STREQUAL "base")
    set(destination "${VARIANTKIT_PACKAGE}/classifiers/${name}")
    if(VARIANTKIT_PREBUILT_DIR)
      if(NOT EXISTS "${VARIANTKIT_PREBUILT_DIR}/${name}/MANIFEST")
        message(FATAL_ERROR "VARIANTKIT_PREBUILT_DIR holds no ${name}/MANIFEST. Build ${name} first, or unset it.")
      endif()
      install(DIRECTORY "${VARIANTKIT_PREBUILT_DIR}/${name}/" DESTINATION "${destination}" USE_SOURCE_PERMISSIONS)
      return()
    endif()
  else()
    set(destination "${VARIANTKIT_PACKAGE}_${label}")
    set(init "${CMAKE_CURRENT_BINARY_DIR}/variantkit/__init__.py")
    file(CONFIGURE OUTPUT "${init}" @ONLY CONTENT
         "\"\"\"The @name@ binary of @VARIANTKIT_DISTRIBUTION@ @VARIANTKIT_VERSION@, loaded by `import @VARIANTKIT_PACKAGE@`.\"\"\"\n")
    install(FILES "${init}" DESTINATION "${destination}")
  endif()

  variantkit_flags(compile_flags ${name} COMPILE)
  variantkit_flags(link_flags ${name} LINK)
  set(target "${VARIANTKIT_PACKAGE}_kernels")
  add_library(${target} MODULE ${arg_SOURCES})
  target_compile_options(${target} PRIVATE ${compile_flags})
  target_link_options(${target} PRIVATE ${link_flags})
  target_compile_definitions(${target} PRIVATE VARIANTKIT_CLASSIFIER="${name}" VARIANTKIT_VERSION="${VARIANTKIT_VERSION}"
                                               ${arg_DEFINITIONS})
  set_target_properties(
    ${target}
    PROPERTIES PREFIX "lib"
               OUTPUT_NAME "${VARIANTKIT_PACKAGE}_${label}"
               CXX_VISIBILITY_PRESET hidden
               C_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               POSITION_INDEPENDENT_CODE ON
               # Link-time optimisation may move code of one ISA level into another (randombit/botan#5260).
               INTERPROCEDURAL_OPTIMIZATION OFF)
  install(TARGETS ${target} LIBRARY DESTINATION "${destination}" RUNTIME DESTINATION "${destination}")
  _variantkit_install_manifest("${target}" "${name}" "${arg_ABI}" "${destination}")
endfunction()

# The size and the hash are those of the file as installed, so they are taken after it was stripped.
function(_variantkit_install_manifest target name abi destination)
  install(
    CODE "set(directory \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}\")
set(library \"$<TARGET_FILE_NAME:${target}>\")
file(SIZE \"\${directory}/\${library}\" size)
file(SHA256 \"\${directory}/\${library}\" sha256)
file(WRITE \"\${directory}/MANIFEST\" \"Manifest-Version: 1
Distribution: ${VARIANTKIT_DISTRIBUTION}
Classifier: ${name}
Version: ${VARIANTKIT_VERSION}
ABI: ${abi}
Row: ${VARIANTKIT_${name}_ROW}
Library: \${library}
Size: \${size}
SHA256: \${sha256}
\")")
endfunction()
