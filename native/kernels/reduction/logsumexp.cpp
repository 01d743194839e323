// SPDX-License-Identifier: Apache-2.0
//
// logsumexp: log(sum(exp(x))) = most + log(sum(exp(x - most))), which overflows nowhere. Each leaf has a largest
// element of its own, so that x is read from memory once; merging two sums brings them to one scale. An infinite `most`
// counts as 0 in both places, as in torch: +inf gives +inf, and nothing but -inf gives -inf. So does nothing at all.
#include "math/exp.hpp"
#include "reduction/engine.hpp"
#include "reduction/extremum.hpp"
#include "reduction/kernels.hpp"
#include "shuffle.hpp"

namespace ndk {
namespace {

inline float logarithm(float x) { return __builtin_logf(x); }
inline double logarithm(double x) { return __builtin_log(x); }

template <typename T>
struct LogSumExp {
    using In = T;
    using State = T;
    using Order = Extremum<T, true>;
    static constexpr int kPlanes = 2; // the largest element, and the sum of exp(x - largest)
    static constexpr bool kInOrder = false;
    static constexpr std::int64_t kLeaf = 2048;
    static constexpr std::int64_t kLeafRows = 32;
    static constexpr std::int64_t kRowBytes = 2048;
    static constexpr T kInfinity = static_cast<T>(__builtin_inf());

    static bool settled(const T *) { return false; }
    void empty(T *state) const {
        state[0] = -kInfinity;
        state[1] = 0;
    }

    void leaf(const T *x, std::int64_t count, T *state) const {
        state[0] = Order::of_elements(x, count);
        const Vec<T> shift = shift_of(splat(state[0]));
        constexpr int kSums = 4;
        Vec<T> sums[kSums] = {};
        std::int64_t i = 0;
        for (; i + kSums * kLanes<T> <= count; i += kSums * kLanes<T>) {
            for (int j = 0; j < kSums; ++j) {
                sums[j] += vector_exp(load(x + i + j * kLanes<T>) - shift);
            }
        }
        for (; i < count; i += kLanes<T>) {
            sums[0] += vector_exp(load_some(x + i, count - i) - shift);
        }
        state[1] = sum_of_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, T *states, std::int64_t plane) const {
        for (std::int64_t column = 0; column < width; column += kLanes<T>) {
            const std::int64_t left = width - column;
            Vec<T> most = load_some(rows[0] + column, left);
            for (std::int64_t row = 1; row < count; ++row) {
                most = larger(most, load_some(rows[row] + column, left));
            }
            const Vec<T> shift = shift_of(most);
            Vec<T> sum{};
            for (std::int64_t row = 0; row < count; ++row) {
                sum += vector_exp(load_some(rows[row] + column, left) - shift);
            }
            store_some(states + column, most, left);
            store_some(states + plane + column, sum, left);
        }
    }

    void merge(T *states, std::int64_t, const T *others, std::int64_t, std::int64_t width, std::int64_t plane) const {
        for (std::int64_t column = 0; column < width; column += kLanes<T>) {
            const std::int64_t left = width - column;
            const Vec<T> a = load_some(states + column, left);
            const Vec<T> b = load_some(others + column, left);
            const Vec<T> most = larger(a, b);
            const Vec<T> sum = load_some(states + plane + column, left) * scale(a, most) +
                               load_some(others + plane + column, left) * scale(b, most);
            store_some(states + column, most, left);
            store_some(states + plane + column, sum, left);
        }
    }

    void finish(const T *states, std::int64_t, std::int64_t width, std::int64_t plane, char *out,
                std::int64_t stride) const {
        for (std::int64_t i = 0; i < width; ++i) {
            const T most = states[i];
            const T shift = most == kInfinity || most == -kInfinity ? 0 : most;
            *reinterpret_cast<T *>(out + i * stride) = logarithm(states[plane + i]) + shift;
        }
    }

private:
    // Lanes that are not there are -inf, whose exp is 0.
    static Vec<T> load_some(const T *from, std::int64_t count) {
        if (count >= kLanes<T>) {
            return load(from);
        }
        alignas(kVectorBytes) T lanes[kLanes<T>];
        store(lanes, splat(-kInfinity));
        for (std::int64_t i = 0; i < count; ++i) {
            lanes[i] = from[i];
        }
        return load(lanes);
    }

    static void store_some(T *to, Vec<T> value, std::int64_t count) {
        if (count >= kLanes<T>) {
            store(to, value);
        } else {
            store_partial(to, value, count);
        }
    }

    static Vec<T> larger(Vec<T> a, Vec<T> b) {
        return choose<T>(unordered<T>(a, b), splat(static_cast<T>(__builtin_nan(""))), Order::pick(a, b));
    }

    static Vec<T> shift_of(Vec<T> most) {
        return choose<T>(equal<T>(most, splat(kInfinity)) | equal<T>(most, splat(-kInfinity)), Vec<T>{}, most);
    }

    // What a sum is multiplied by when its largest element is `own`; not NaN for two equal infinities.
    static Vec<T> scale(Vec<T> own, Vec<T> most) {
        return choose<T>(equal<T>(own, most), splat(T{1}), vector_exp(own - most));
    }
};

} // namespace

ndk_status reductions::logsumexp(const ndk_host *host, const ndk_tensor *x, const ndk_tensor *out) {
    return x->dtype == NDK_FLOAT32 ? reduce_with<LogSumExp<float>>(host, x, out)
                                   : reduce_with<LogSumExp<double>>(host, x, out);
}

} // namespace ndk
