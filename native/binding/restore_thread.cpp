// SPDX-License-Identifier: Apache-2.0
#include "restore_thread.hpp"

#include <pthread.h>
#include <unistd.h>

#ifdef __EXCEPTIONS
#error "compile this file with -fno-exceptions"
#endif

namespace ndkernels {
namespace {

void hold(void * /*argument*/) {
    for (;;) {
        pause();
    }
}

} // namespace

// Before 3.14, Python ends a daemon thread that comes back after the interpreter has gone by pthread_exit, which
// unwinds the stack: with libstdc++ that is std::terminate in the next frame that catches everything, and with another
// C++ runtime the process dies in a personality routine that does not know this unwinder. The cleanup handler is
// reached before any such frame, and does what 3.14 does: the thread sleeps until the process is gone. Without
// exceptions, pthread_cleanup_push needs no C++ runtime.
void restore_thread(PyThreadState *state) {
    pthread_cleanup_push(hold, nullptr);
    PyEval_RestoreThread(state);
    pthread_cleanup_pop(0);
}

} // namespace ndkernels
