// SPDX-License-Identifier: Apache-2.0
//
// What the unary functions compute, as functions of vectors, and their rows.
#ifndef NDK_ELEMENTWISE_UNARY_ROWS_HPP
#define NDK_ELEMENTWISE_UNARY_ROWS_HPP

#include "elementwise/map.hpp"
#include "elementwise/rows.hpp"
#include "math/erf.hpp"
#include "math/exp.hpp"
#include "math/log.hpp"
#include "math/sigmoid.hpp"
#include "math/trigonometry.hpp"

namespace ndk {

struct Cheap {
    static constexpr std::int64_t kCost = 4;
    explicit Cheap(const double *) {}
};

struct Costly {
    static constexpr std::int64_t kCost = 32;
    explicit Costly(const double *) {}
};

#define NDK_UNARY(Name, Base, expression)                                                                              \
    template <typename T>                                                                                              \
    struct Name : Base {                                                                                               \
        using Base::Base;                                                                                              \
        [[gnu::always_inline]] Vec<T> operator()(Vec<T> x) const { return expression; }                                \
    };
NDK_UNARY(Relu, Cheap, greater<T>(Vec<T>{}, x)) // NaN stays
NDK_UNARY(Negative, Cheap, -x)
NDK_UNARY(Abs, Cheap, magnitude_of<T>(x))
NDK_UNARY(Sqrt, Cheap, square_root<T>(x))
NDK_UNARY(Rsqrt, Cheap, T{1} / square_root<T>(x))
NDK_UNARY(Exp, Costly, exp_of<T>(x))
NDK_UNARY(Log, Costly, log_of<T>(x))
NDK_UNARY(Sin, Costly, sin_of<T>(x))
NDK_UNARY(Cos, Costly, cos_of<T>(x))
NDK_UNARY(Tanh, Costly, tanh_of<T>(x))
NDK_UNARY(Erf, Costly, erf_of<T>(x))
NDK_UNARY(Sigmoid, Costly, sigmoid_of<T>(x))
NDK_UNARY(Gelu, Costly, gelu_of<T>(x))
NDK_UNARY(GeluTanh, Costly, gelu_tanh_of<T>(x))
NDK_UNARY(Silu, Costly, silu_of<T>(x))
#undef NDK_UNARY

template <typename T>
struct LeakyRelu : Cheap {
    explicit LeakyRelu(const double *parameters) : Cheap(parameters), slope(static_cast<T>(parameters[0])) {}
    [[gnu::always_inline]] Vec<T> operator()(Vec<T> x) const { return x > T{0} ? x : x * slope; }
    T slope;
};

template <typename T>
struct Elu : Costly {
    explicit Elu(const double *parameters) : Costly(parameters), alpha(static_cast<T>(parameters[0])) {}
    [[gnu::always_inline]] Vec<T> operator()(Vec<T> x) const {
        return x >= T{0} ? x : expm1_bounded<T>(greater<T>(splat(T{-60}), x)) * alpha;
    }
    T alpha;
};

// log(1 + exp(beta x)) / beta, and x where beta x > threshold
template <typename T>
struct Softplus : Costly {
    explicit Softplus(const double *parameters)
        : Costly(parameters), beta(static_cast<T>(parameters[0])), threshold(static_cast<T>(parameters[1])) {}
    [[gnu::always_inline]] Vec<T> operator()(Vec<T> x) const {
        const Vec<T> s = x * beta;
        const Vec<T> soft = greater<T>(Vec<T>{}, s) + log1p_unit<T>(exp_of<T>(-magnitude_of<T>(s)));
        return s > threshold ? x : soft / beta;
    }
    T beta, threshold;
};

template <typename T>
struct Clip : Cheap {
    explicit Clip(const double *parameters)
        : Cheap(parameters), low(static_cast<T>(parameters[0])), high(static_cast<T>(parameters[1])) {}
    [[gnu::always_inline]] Vec<T> operator()(Vec<T> x) const {
        return lesser<T>(splat(high), greater<T>(splat(low), x));
    }
    T low, high;
};

template <typename T, typename Op>
void run_unary(const double *parameters, const void *x, void *out, std::int64_t count, bool stream) {
    const Op op(parameters);
    const Run<T> source{static_cast<const T *>(x)};
    if constexpr (Op::kCost <= Cheap::kCost) {
        if (stream) {
            map_run<true>(op, static_cast<T *>(out), count, source);
            return;
        }
    }
    map_run<false>(op, static_cast<T *>(out), count, source);
}

template <typename T, typename Op>
constexpr UnaryRow make_unary_row(bool any_width = false) {
    return {run_unary<T, Op>, Op::kCost, any_width};
}

template <typename T>
UnaryRow unary_row(ndk_unary_op op) {
    constexpr bool kAnyWidth = true;
    switch (op) {
    case NDK_COPY:
        break; // which is not about numbers: copy.cpp
    case NDK_RELU:
        return make_unary_row<T, Relu<T>>(kAnyWidth);
    case NDK_EXP:
        return make_unary_row<T, Exp<T>>(kAnyWidth);
    case NDK_NEGATIVE:
        return make_unary_row<T, Negative<T>>();
    case NDK_ABS:
        return make_unary_row<T, Abs<T>>();
    case NDK_SQRT:
        return make_unary_row<T, Sqrt<T>>();
    case NDK_RSQRT:
        return make_unary_row<T, Rsqrt<T>>();
    case NDK_LOG:
        return make_unary_row<T, Log<T>>();
    case NDK_SIN:
        return make_unary_row<T, Sin<T>>();
    case NDK_COS:
        return make_unary_row<T, Cos<T>>();
    case NDK_TANH:
        return make_unary_row<T, Tanh<T>>(kAnyWidth);
    case NDK_ERF:
        return make_unary_row<T, Erf<T>>(kAnyWidth);
    case NDK_SIGMOID:
        return make_unary_row<T, Sigmoid<T>>(kAnyWidth);
    case NDK_LEAKY_RELU:
        return make_unary_row<T, LeakyRelu<T>>(kAnyWidth);
    case NDK_ELU:
        return make_unary_row<T, Elu<T>>(kAnyWidth);
    case NDK_GELU:
        return make_unary_row<T, Gelu<T>>(kAnyWidth);
    case NDK_GELU_TANH:
        return make_unary_row<T, GeluTanh<T>>(kAnyWidth);
    case NDK_SILU:
        return make_unary_row<T, Silu<T>>(kAnyWidth);
    case NDK_SOFTPLUS:
        return make_unary_row<T, Softplus<T>>(kAnyWidth);
    case NDK_CLIP:
        return make_unary_row<T, Clip<T>>();
    }
    return {};
}

} // namespace ndk
#endif // NDK_ELEMENTWISE_UNARY_ROWS_HPP
