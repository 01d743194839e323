// SPDX-License-Identifier: Apache-2.0
#include "gemm/epilogue.hpp"

#include <type_traits>

#include "math/erf.hpp"
#include "math/sigmoid.hpp"
#include "vec.hpp"

namespace ndk {
namespace {

// function(vector) of all elements, in place
template <typename S, typename Function>
void apply(S *values, std::int64_t count, const Function &function) {
    std::int64_t i = 0;
    for (; i + kLanes<S> <= count; i += kLanes<S>) {
        store(values + i, function(load(values + i)));
    }
    if (i < count) {
        store_partial(values + i, function(load_partial(values + i, count - i)), count - i);
    }
}

} // namespace

template <typename S>
void activate(Activation activation, S *values, std::int64_t count) {
    if constexpr (std::is_floating_point_v<S>) {
        switch (activation) {
        case Activation::kRelu:
            apply(values, count, [](Vec<S> x) { return x < S{0} ? Vec<S>{} : x; });
            break;
        case Activation::kSilu:
            apply(values, count, [](Vec<S> x) { return silu_of<S>(x); });
            break;
        case Activation::kSigmoid:
            apply(values, count, [](Vec<S> x) { return sigmoid_of<S>(x); });
            break;
        case Activation::kGelu:
            apply(values, count, [](Vec<S> x) { return gelu_of<S>(x); });
            break;
        case Activation::kGeluTanh:
            apply(values, count, [](Vec<S> x) { return gelu_tanh_of<S>(x); });
            break;
        case Activation::kTanh:
            apply(values, count, [](Vec<S> x) { return tanh_of<S>(x); });
            break;
        default:
            break;
        }
    }
}

template <typename S>
void finish(const Epilogue<S> &epilogue, S *c, std::int64_t c_row, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t i = 0; i < rows; ++i) {
        S *row = c + i * c_row;
        if (epilogue.row_bias != nullptr) {
            const S bias = epilogue.row_bias[i];
            for (std::int64_t j = 0; j < columns; ++j) {
                row[j] += bias;
            }
        }
        if (epilogue.column_bias != nullptr) {
            for (std::int64_t j = 0; j < columns; ++j) {
                row[j] += epilogue.column_bias[j];
            }
        }
        if (epilogue.activation != Activation::kNone) {
            activate(epilogue.activation, row, columns);
        }
    }
}

template void activate<float>(Activation, float *, std::int64_t);
template void activate<double>(Activation, double *, std::int64_t);
template void activate<std::int32_t>(Activation, std::int32_t *, std::int64_t);
template void finish<float>(const Epilogue<float> &, float *, std::int64_t, std::int64_t, std::int64_t);
template void finish<double>(const Epilogue<double> &, double *, std::int64_t, std::int64_t, std::int64_t);
template void finish<std::int32_t>(const Epilogue<std::int32_t> &, std::int32_t *, std::int64_t, std::int64_t,
                                   std::int64_t);

} // namespace ndk
