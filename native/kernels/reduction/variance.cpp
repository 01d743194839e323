// SPDX-License-Identifier: Apache-2.0
//
// var and std.
//
// Each leaf goes through two passes while it is in cache: its mean, and the squared deviations from that, corrected for
// the rounding of the mean (Chan, Golub, LeVeque, Algorithms for computing the sample variance, The American
// Statistician 37 (1983), equation 1.7). States are merged pairwise with their equation 2.1b. The mean of a state is
// kept as a sum of two numbers, the mean of its first leaf and what has to be added to it: then the difference of two
// means is as precise as the deviations are, however far from 0 all elements lie.
#include "reduction/engine.hpp"
#include "reduction/kernels.hpp"
#include "reduction/lanes.hpp"

namespace ndk {
namespace {

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

template <typename T>
struct Variance {
    using In = T;
    using State = T;
    static constexpr int kPlanes = 3; // the mean's two parts, and the sum of squared deviations from the mean
    static constexpr bool kInOrder = false;
    static constexpr std::int64_t kLeaf = 2048;
    static constexpr std::int64_t kLeafRows = 32;
    static constexpr std::int64_t kRowBytes = 2048; // 32 of them stay in the L2 cache, if not in L1

    double correction = 0;
    bool root = false;

    static bool settled(const T *) { return false; }
    void empty(T *state) const { state[0] = state[1] = state[2] = 0; }

    void leaf(const T *x, std::int64_t count, T *state) const {
        constexpr int kSums = 4;
        const auto add_up = [&](const auto &term, T *results) {
            constexpr int kTerms = sizeof(term(Vec<T>{}).term) / sizeof(Vec<T>);
            Vec<T> sums[kTerms][kSums] = {};
            std::int64_t i = 0;
            for (; i + kSums * kLanes<T> <= count; i += kSums * kLanes<T>) {
                for (int j = 0; j < kSums; ++j) {
                    const auto terms = term(load(x + i + j * kLanes<T>));
                    for (int k = 0; k < kTerms; ++k) {
                        sums[k][j] += terms.term[k];
                    }
                }
            }
            for (; i + kLanes<T> <= count; i += kLanes<T>) {
                const auto terms = term(load(x + i));
                for (int k = 0; k < kTerms; ++k) {
                    sums[k][0] += terms.term[k];
                }
            }
            for (int k = 0; k < kTerms; ++k) {
                const Vec<T> total = (sums[k][0] + sums[k][1]) + (sums[k][2] + sums[k][3]);
                results[k] = sum_of_lanes<T>(total);
            }
            return i;
        };
        const T n = static_cast<T>(count);
        T sum;
        for (std::int64_t i = add_up([](Vec<T> each) { return Terms<1>{{each}}; }, &sum); i < count; ++i) {
            sum += x[i];
        }
        const T mean = sum / n;
        const Vec<T> means = splat(mean);
        T sums[2];
        const auto deviations = [&](Vec<T> each) {
            const Vec<T> deviation = each - means;
            return Terms<2>{{deviation, deviation * deviation}};
        };
        for (std::int64_t i = add_up(deviations, sums); i < count; ++i) {
            const T deviation = x[i] - mean;
            sums[0] += deviation;
            sums[1] += deviation * deviation;
        }
        state[0] = mean;
        state[1] = sums[0] / n;
        state[2] = not_negative(sums[1] - sums[0] * state[1]);
    }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, T *states, std::int64_t plane) const {
        constexpr std::int64_t kTogether = 4;
        std::int64_t column = 0;
        for (; column + kTogether * kLanes<T> <= width; column += kTogether * kLanes<T>) {
            columns<kTogether, Vec<T>>(rows, count, column, states, plane);
        }
        for (; column + kLanes<T> <= width; column += kLanes<T>) {
            columns<1, Vec<T>>(rows, count, column, states, plane);
        }
        for (; column < width; ++column) {
            columns<1, T>(rows, count, column, states, plane);
        }
    }

    void merge(T *states, std::int64_t count, const T *others, std::int64_t other_count, std::int64_t width,
               std::int64_t plane) const {
        const T share = static_cast<T>(static_cast<double>(other_count) / static_cast<double>(count + other_count));
        const T weight = static_cast<T>(count) * share;
        for (std::int64_t i = 0; i < width; ++i) {
            const T difference = (others[i] - states[i]) + (others[plane + i] - states[plane + i]);
            states[plane + i] += difference * share;
            states[2 * plane + i] += others[2 * plane + i] + difference * difference * weight;
        }
    }

    void finish(const T *states, std::int64_t count, std::int64_t width, std::int64_t plane, char *out,
                std::int64_t stride) const {
        const double left = static_cast<double>(count) - correction;
        const T divisor = static_cast<T>(left > 0 ? left : 0);
        for (std::int64_t i = 0; i < width; ++i) {
            const T variance = states[2 * plane + i] / divisor;
            *reinterpret_cast<T *>(out + i * stride) = root ? square_root(variance) : variance;
        }
    }

private:
    template <int Count>
    struct Terms {
        Vec<T> term[Count];
    };

    template <typename Value>
    [[gnu::always_inline]] static Value load_as(const T *from) {
        if constexpr (sizeof(Value) == sizeof(T)) {
            return *from;
        } else {
            return load(from);
        }
    }

    template <typename Value>
    [[gnu::always_inline]] static void store_as(T *to, Value value) {
        if constexpr (sizeof(Value) == sizeof(T)) {
            *to = value;
        } else {
            store(to, value);
        }
    }

    template <typename Value>
    [[gnu::always_inline]] static Value not_negative(Value value) { // NaN passes
        return value < T{0} ? Value{} : value;
    }

    template <int Count, typename Value>
    static void columns(const T *const *rows, std::int64_t count, std::int64_t column, T *states, std::int64_t plane) {
        constexpr std::int64_t kStep = sizeof(Value) / sizeof(T);
        const T n = static_cast<T>(count);
        Value mean[Count] = {};
        for (std::int64_t row = 0; row < count; ++row) {
            for (int i = 0; i < Count; ++i) {
                mean[i] += load_as<Value>(rows[row] + column + i * kStep);
            }
        }
        for (int i = 0; i < Count; ++i) {
            mean[i] /= n;
        }
        Value sum[Count] = {};
        Value squares[Count] = {};
        for (std::int64_t row = 0; row < count; ++row) {
            for (int i = 0; i < Count; ++i) {
                const Value deviation = load_as<Value>(rows[row] + column + i * kStep) - mean[i];
                sum[i] += deviation;
                squares[i] += deviation * deviation;
            }
        }
        for (int i = 0; i < Count; ++i) {
            T *state = states + column + i * kStep;
            const Value rest = sum[i] / n;
            store_as<Value>(state, mean[i]);
            store_as<Value>(state + plane, rest);
            store_as<Value>(state + 2 * plane, not_negative<Value>(squares[i] - sum[i] * rest));
        }
    }
};

} // namespace

ndk_status reductions::variance(const ndk_host *host, double correction, bool root, const ndk_tensor *x,
                                const ndk_tensor *out) {
    return x->dtype == NDK_FLOAT32 ? reduce_with<Variance<float>>(host, x, out, {correction, root})
                                   : reduce_with<Variance<double>>(host, x, out, {correction, root});
}

} // namespace ndk
