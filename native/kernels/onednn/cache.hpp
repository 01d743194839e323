// SPDX-License-Identifier: Apache-2.0
//
// The programs of the calls that were made last. Making one takes oneDNN milliseconds, as it writes machine code for
// it.
#ifndef NDK_ONEDNN_CACHE_HPP
#define NDK_ONEDNN_CACHE_HPP

#include "onednn/program.hpp"

namespace ndk::onednn {

// Builds the program of a call, or answers false where oneDNN cannot do it: that is kept, too.
using Build = bool (*)(Builder &builder);

struct CacheCounters {
    std::int64_t hits, misses, evictions, entries;
};

// At most so many programs are kept; the one that was not used for longest goes first.
inline constexpr int kMostPrograms = 256;

// Whether there is a program for the call, which is made where it has to be.
bool has_program(const char *name, Build build, const ndk_call *call);

// NDK_INVALID_ARGUMENT where there is none.
ndk_status run_program(const char *name, Build build, const ndk_call *call);

CacheCounters cache_counters();

} // namespace ndk::onednn
#endif // NDK_ONEDNN_CACHE_HPP
