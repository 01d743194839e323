// SPDX-License-Identifier: Apache-2.0
//
// What is done to the elements of a matrix product before they are stored: c = activation(a b + bias).
#ifndef NDK_GEMM_EPILOGUE_HPP
#define NDK_GEMM_EPILOGUE_HPP

#include <cstdint>

namespace ndk {

enum class Activation : std::int32_t { kNone, kRelu, kGelu, kGeluTanh, kSilu, kSigmoid, kTanh };
inline constexpr std::int64_t kActivations = 7;

// S is the type of the sums. Biases are consecutive; one that is null is not added. There are no activations of
// integers.
template <typename S>
struct Epilogue {
    const S *row_bias = nullptr;    // one per row of c
    const S *column_bias = nullptr; // one per column of c
    Activation activation = Activation::kNone;

    bool empty() const { return row_bias == nullptr && column_bias == nullptr && activation == Activation::kNone; }
    Epilogue transposed() const { return {column_bias, row_bias, activation}; }
    Epilogue part(std::int64_t row, std::int64_t column) const {
        return {row_bias == nullptr ? nullptr : row_bias + row, column_bias == nullptr ? nullptr : column_bias + column,
                activation};
    }
};

// Finishes a part of c, rows x columns with consecutive columns, in place. The first elements of the biases are those
// of its first row and column. For float, double and std::int32_t.
template <typename S>
void finish(const Epilogue<S> &epilogue, S *c, std::int64_t c_row, std::int64_t rows, std::int64_t columns);

// values[i] = activation(values[i])
template <typename S>
void activate(Activation activation, S *values, std::int64_t count);

} // namespace ndk
#endif // NDK_GEMM_EPILOGUE_HPP
