// SPDX-License-Identifier: Apache-2.0
//
// A call of an operator as oneDNN computes it: a primitive, and what brings tensors into the order that it wants.
#ifndef NDK_ONEDNN_PROGRAM_HPP
#define NDK_ONEDNN_PROGRAM_HPP

#include "ndkernels.h"
#include "onednn/api.hpp"

namespace ndk::onednn {

struct Argument {
    int role = 0;
    int tensor = 0; // of the call: the inputs, and then the outputs; or kPrepared
    bool output = false;
    Desc given = nullptr;
    Desc wanted = nullptr;       // NULL where that is what is given
    Primitive reorder = nullptr; // from given to wanted, or for an output the other way round
    Desc scratchpad = nullptr;   // of the reorder; NULL where it needs none

    bool is_weights() const;
};

// Moved by copying its bytes; release() gives back what it holds.
struct Program {
    static constexpr int kMostArguments = 10;
    static constexpr int kPrepared = -1;

    Primitive primitive = nullptr;
    Desc scratchpad = nullptr;
    std::size_t scratchpad_bytes = 0; // of the largest of the primitive's and the reorders'
    Argument arguments[kMostArguments];
    int count = 0;
    void (*prepare)(const ndk_call *call, char *to) = nullptr; // fills scratch memory for the argument kPrepared
    void (*afterwards)(const ndk_call *call) = nullptr;        // what is done to the outputs in the end

    void release();
    // Scratch memory: that of the primitive, and each tensor once more that it wants in another order.
    ndk_status run(const ndk_call *call) const;
};

// Builds the program of one call. Each function answers false, or keeps it in mind, where oneDNN cannot do it.
class Builder {
public:
    Builder(const ndk_call *call, Program &program);
    ~Builder();
    Builder(const Builder &) = delete;
    Builder &operator=(const Builder &) = delete;

    const ndk_call &call() const { return *call_; }
    const ndk_tensor *tensor(int index) const;

    // Of a tensor as it lies in memory, with other extents and strides, in elements
    ConstDesc strided(const ndk_tensor *tensor, int ndim, const std::int64_t *shape, const std::int64_t *strides);
    // Of a tensor as it is; NULL where oneDNN has no such tensors
    ConstDesc as_it_is(const ndk_tensor *tensor);
    // In whatever order is best
    ConstDesc any(int ndim, const std::int64_t *shape, std::int32_t dtype);

    Attributes attributes() const { return attributes_; }
    void then(void (*what)(const ndk_call *call)) { program_.afterwards = what; }

    PrimitiveDesc *made() { return &made_; }
    PrimitiveDesc *hint() { return &hint_; }
    // To be called in this order: made() is filled, the arguments are named, and finish().
    void argument(int role, int tensor, bool output, ConstDesc given);
    // Of memory that `prepare` fills before the primitive runs, as `given` says it lies there
    void prepared(int role, ConstDesc given, void (*prepare)(const ndk_call *call, char *to));
    bool finish();

private:
    static constexpr int kMostDescs = 24;

    void keep(Desc desc);
    bool make_primitive(PrimitiveDesc desc, Primitive &primitive, Desc &scratchpad);

    const ndk_call *call_;
    Program &program_;
    Attributes attributes_ = nullptr;
    Attributes reorder_attributes_ = nullptr;
    PrimitiveDesc made_ = nullptr;
    PrimitiveDesc hint_ = nullptr;
    Desc descs_[kMostDescs];
    int desc_count_ = 0;
    bool good_ = true;
};

// Whether the weights of a call are those of a handle that other calls have, too (ndk_packed).
bool shares_weights(const ndk_call *call);

// What oneDNN calls a dtype; 0 for those it has not.
int data_type_of(std::int32_t dtype);

} // namespace ndk::onednn
#endif // NDK_ONEDNN_PROGRAM_HPP
