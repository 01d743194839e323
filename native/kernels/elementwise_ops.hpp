// SPDX-License-Identifier: Apache-2.0
//
// What the elementwise kernels compute, as functions of vectors.
#ifndef NDK_ELEMENTWISE_OPS_HPP
#define NDK_ELEMENTWISE_OPS_HPP

#include "exp.hpp"
#include "vec.hpp"

namespace ndk {

// `kCost` is about how many vector instructions one vector takes; it decides from which size on threads pay.
struct Add {
    static constexpr std::int64_t kCost = 4;
    template <typename V>
    V operator()(V x1, V x2) const {
        return x1 + x2;
    }
};
struct Subtract : Add {
    template <typename V>
    V operator()(V x1, V x2) const {
        return x1 - x2;
    }
};
struct Multiply : Add {
    template <typename V>
    V operator()(V x1, V x2) const {
        return x1 * x2;
    }
};
struct Divide : Add {
    template <typename V>
    V operator()(V x1, V x2) const {
        return x1 / x2;
    }
};
struct Maximum : Add {
    // The comparison is false when x2 is NaN, which leaves x2; a NaN in x1 has to be asked for.
    template <typename V>
    V operator()(V x1, V x2) const {
        const V larger = x1 > x2 ? x1 : x2;
        return x1 != x1 ? x1 : larger;
    }
};
struct Copy : Add {
    template <typename V>
    V operator()(V x) const {
        return x;
    }
};
struct Relu : Add {
    // "0 > x" is false for NaN, which leaves x.
    template <typename V>
    V operator()(V x) const {
        return V{} > x ? V{} : x;
    }
};
struct Exp {
    static constexpr std::int64_t kCost = 32;
    template <typename V>
    V operator()(V x) const {
        return vector_exp(x);
    }
};

} // namespace ndk
#endif // NDK_ELEMENTWISE_OPS_HPP
