// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Python.h>

namespace ndkernels {

// PyEval_RestoreThread for a thread that may outlive the interpreter: then it never returns.
void restore_thread(PyThreadState *state);

} // namespace ndkernels
