// SPDX-License-Identifier: Apache-2.0
//
// Resampling of one line along its columns.
#ifndef NDK_RESAMPLE_COLUMNS_HPP
#define NDK_RESAMPLE_COLUMNS_HPP

#include "pooling/lanes.hpp"
#include "resample/sources.hpp"

namespace ndk {

// (All intrinsics are those with a mask, since GCC 12 warns of what the others leave undefined.)
// Elements from[place[0]], from[place[1]], ...; for Near these lie in the vector that begins at `from`.
template <typename T, bool Near>
[[gnu::always_inline]] inline Vec<T> pick_lanes(const T *from, const std::int32_t *place) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) {
        const __m512i index = _mm512_loadu_si512(place);
        if constexpr (Near) {
            return reinterpret_cast<Vec<T>>(
                _mm512_maskz_permutexvar_ps(static_cast<__mmask16>(-1), index, _mm512_loadu_ps(from)));
        }
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_i32gather_ps(_mm512_setzero_ps(), static_cast<__mmask16>(-1), index, from, 4));
    } else {
        const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(place));
        if constexpr (Near) {
            return reinterpret_cast<Vec<T>>(_mm512_maskz_permutexvar_pd(
                static_cast<__mmask8>(-1), _mm512_maskz_cvtepi32_epi64(static_cast<__mmask8>(-1), index),
                _mm512_loadu_pd(from)));
        }
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_i32gather_pd(_mm512_setzero_pd(), static_cast<__mmask8>(-1), index, from, 8));
    }
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>) {
        const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(place));
        if constexpr (Near) {
            return reinterpret_cast<Vec<T>>(_mm256_permutevar8x32_ps(_mm256_loadu_ps(from), index));
        }
        return reinterpret_cast<Vec<T>>(
            _mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, index, _mm256_castsi256_ps(_mm256_set1_epi32(-1)), 4));
    }
#endif
    Vec<T> picked;
    for (std::int64_t i = 0; i < kLanes<T>; ++i) {
        picked[i] = from[place[i]]; // as fast as gathering where there are but four lanes
    }
    return picked;
}

// The sources of the columns in the form that vectors want: where the first of each group of lanes comes from, and how
// far from there the others do. A line that is read has its last element twice, so that low + 1 is always there, and
// a vector of anything behind.
template <typename T>
class Columns {
public:
    Columns(const ndk_host *host, const Source<T> *sources, std::int64_t count)
        : count_(count), padded_((count + kLanes<T> - 1) / kLanes<T> * kLanes<T>), places_(host, 2 * padded_),
          weights_(host, padded_) {
        if (missing()) {
            return;
        }
        std::int32_t *place = places_.get();
        std::int32_t *base = place + padded_;
        for (std::int64_t i = 0; i < padded_; ++i) {
            const std::int64_t first = i / kLanes<T> * kLanes<T>;
            const Source<T> &source = sources[i < count ? i : count - 1];
            base[first / kLanes<T>] = static_cast<std::int32_t>(sources[first].low);
            place[i] = static_cast<std::int32_t>(source.low - sources[first].low);
            weights_.get()[i] = source.weight;
            near_ = near_ && place[i] < kLanes<T>;
        }
    }

    bool missing() const { return places_.get() == nullptr || weights_.get() == nullptr; }

    template <bool Linear>
    void run(const T *line, T *to) const {
        if (near_) {
            walk<Linear, true>(line, to);
        } else {
            walk<Linear, false>(line, to);
        }
    }

private:
    template <bool Linear, bool Near>
    void walk(const T *line, T *to) const {
        const std::int32_t *place = places_.get();
        const std::int32_t *base = place + padded_;
        for (std::int64_t o = 0; o < count_; o += kLanes<T>) {
            const T *from = line + *base++;
            Vec<T> value = pick_lanes<T, Near>(from, place + o);
            if constexpr (Linear) {
                const Vec<T> weight = load(weights_.get() + o);
                const Vec<T> next = pick_lanes<T, Near>(from + 1, place + o);
                value = weight == T{0} ? value : value * (T{1} - weight) + next * weight; // which may be NaN
            }
            if (o + kLanes<T> <= count_) {
                store(to + o, value);
            } else {
                store_first<T>(to + o, value, count_ - o);
            }
        }
    }

    std::int64_t count_;
    std::int64_t padded_;
    bool near_ = true;
    Scratch<std::int32_t> places_;
    Scratch<T> weights_;
};

} // namespace ndk
#endif // NDK_RESAMPLE_COLUMNS_HPP
