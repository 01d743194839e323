// SPDX-License-Identifier: Apache-2.0
#include "onednn/program.hpp"

#include <initializer_list>

#include "host.hpp"
#include "onednn/weights.hpp"
#include "views.hpp"

namespace ndk::onednn {

Api api;

int data_type_of(std::int32_t dtype) {
    switch (dtype) {
    case NDK_FLOAT32:
        return data_type::kFloat32;
    case NDK_FLOAT16:
        return data_type::kFloat16;
    case NDK_BFLOAT16:
        return data_type::kBFloat16;
    case NDK_INT8:
        return data_type::kInt8;
    case NDK_INT32:
        return data_type::kInt32;
    default:
        return 0;
    }
}

namespace {

constexpr std::size_t kLine = 64;

std::size_t rounded(std::size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

// Memory objects and the stream of one call.
class Execution {
public:
    Execution() : good_(api.stream_create(&stream_, api.engine, kInOrder) == status::kSuccess) {}
    ~Execution() {
        for (int i = 0; i < count_; ++i) {
            api.memory_destroy(memories_[i]);
        }
        if (good_) {
            api.stream_destroy(stream_);
        }
    }
    Execution(const Execution &) = delete;
    Execution &operator=(const Execution &) = delete;

    bool good() const { return good_; }

    Memory memory(ConstDesc desc, void *data) {
        Memory made = nullptr;
        if (count_ == kMost || api.memory_create(&made, desc, api.engine, data) != status::kSuccess) {
            return nullptr;
        }
        memories_[count_++] = made;
        return made;
    }

    // The last argument is for the scratchpad, if there is one.
    bool execute(Primitive primitive, ExecArgument *arguments, int count, ConstDesc scratchpad, char *scratch) {
        if (scratchpad != nullptr) {
            arguments[count++] = {role::kScratchpad, memory(scratchpad, scratch)};
        }
        for (int i = 0; i < count; ++i) {
            if (arguments[i].memory == nullptr) {
                return false;
            }
        }
        return api.primitive_execute(primitive, stream_, count, arguments) == status::kSuccess &&
               api.stream_wait(stream_) == status::kSuccess;
    }

private:
    static constexpr int kMost = 4 * Program::kMostArguments + 1;

    Stream stream_ = nullptr;
    Memory memories_[kMost];
    int count_ = 0;
    bool good_;
};

// oneDNN computes with as many threads as the host would, on the calling thread.
class Threads {
public:
    explicit Threads(const ndk_host *host) : before_(api.omp_get_max_threads()) {
        const int wanted = host->num_threads(host->context);
        changed_ = wanted != before_;
        if (changed_) {
            api.omp_set_num_threads(wanted);
        }
    }
    ~Threads() {
        if (changed_) {
            api.omp_set_num_threads(before_);
        }
    }
    Threads(const Threads &) = delete;
    Threads &operator=(const Threads &) = delete;

private:
    int before_;
    bool changed_;
};

// The weights of the handle in the order that is wanted; NULL where there is no memory to keep them.
void *prepacked(const ndk_call *call, const Argument &argument, Memory given, Execution &execution, char *scratch) {
    const std::uint64_t id = call->packed->id;
    if (void *kept = kept_weights(id, argument.role, argument.wanted); kept != nullptr) {
        return kept;
    }
    const ndk_host *host = call->host;
    void *data = host->allocate(host->context, api.memory_desc_get_size(argument.wanted), kLine);
    if (data == nullptr) {
        return nullptr;
    }
    ExecArgument pair[3] = {{role::kSource, given}, {role::kDestination, execution.memory(argument.wanted, data)}};
    void *kept = execution.execute(argument.reorder, pair, 2, argument.scratchpad, scratch)
                     ? keep_weights(host, id, argument.role, argument.wanted, data)
                     : nullptr;
    if (kept == nullptr) {
        host->release(host->context, data);
    }
    return kept;
}

} // namespace

bool shares_weights(const ndk_call *call) {
    return call->host->call_size >= sizeof(ndk_call) && call->packed != nullptr;
}

bool Argument::is_weights() const { return role == role::kWeights || role == role::kWeightsOfState; }

void Program::release() {
    if (primitive != nullptr) {
        api.primitive_destroy(primitive);
    }
    if (scratchpad != nullptr) {
        api.memory_desc_destroy(scratchpad);
    }
    for (int i = 0; i < count; ++i) {
        if (arguments[i].reorder != nullptr) {
            api.primitive_destroy(arguments[i].reorder);
        }
        for (const Desc desc : {arguments[i].given, arguments[i].wanted, arguments[i].scratchpad}) {
            if (desc != nullptr) {
                api.memory_desc_destroy(desc);
            }
        }
    }
    *this = Program{};
}

ndk_status Program::run(const ndk_call *call) const {
    std::size_t bytes = rounded(scratchpad_bytes);
    for (int i = 0; i < count; ++i) {
        bytes += arguments[i].wanted != nullptr ? rounded(api.memory_desc_get_size(arguments[i].wanted)) : 0;
        bytes += arguments[i].tensor == kPrepared ? rounded(api.memory_desc_get_size(arguments[i].given)) : 0;
    }
    const Scratch<char> scratch(call->host, static_cast<std::int64_t>(bytes));
    if (bytes > 0 && scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    const Threads threads(call->host);
    Execution execution;
    if (!execution.good()) {
        return NDK_OUT_OF_MEMORY;
    }
    char *next = scratch.get() + rounded(scratchpad_bytes);
    ExecArgument all[kMostArguments + 1];
    Memory given[kMostArguments];
    for (int i = 0; i < count; ++i) {
        const Argument &argument = arguments[i];
        void *data = next;
        if (argument.tensor == kPrepared) {
            prepare(call, next);
            next += rounded(api.memory_desc_get_size(argument.given));
        } else {
            data = (argument.tensor < call->input_count ? call->inputs[argument.tensor]
                                                        : call->outputs[argument.tensor - call->input_count])
                       ->data;
        }
        given[i] = execution.memory(argument.given, data);
        Memory used = given[i];
        if (argument.wanted != nullptr) {
            void *kept = argument.is_weights() && shares_weights(call)
                             ? prepacked(call, argument, given[i], execution, scratch.get())
                             : nullptr;
            used = execution.memory(argument.wanted, kept != nullptr ? kept : next);
            next += rounded(api.memory_desc_get_size(argument.wanted));
            if (kept != nullptr) {
                all[i] = {argument.role, used};
                continue;
            }
        }
        all[i] = {argument.role, used};
        if (argument.wanted != nullptr && !argument.output) {
            ExecArgument pair[3] = {{role::kSource, given[i]}, {role::kDestination, used}};
            if (!execution.execute(argument.reorder, pair, 2, argument.scratchpad, scratch.get())) {
                return NDK_OUT_OF_MEMORY;
            }
        }
    }
    if (!execution.execute(primitive, all, count, scratchpad, scratch.get())) {
        return NDK_OUT_OF_MEMORY;
    }
    for (int i = 0; i < count; ++i) {
        if (arguments[i].wanted != nullptr && arguments[i].output) {
            ExecArgument pair[3] = {{role::kSource, all[i].memory}, {role::kDestination, given[i]}};
            if (!execution.execute(arguments[i].reorder, pair, 2, arguments[i].scratchpad, scratch.get())) {
                return NDK_OUT_OF_MEMORY;
            }
        }
    }
    if (afterwards != nullptr) {
        afterwards(call);
    }
    return NDK_OK;
}

Builder::Builder(const ndk_call *call, Program &program) : call_(call), program_(program) {
    for (Attributes *attributes : {&attributes_, &reorder_attributes_}) {
        good_ = good_ && api.primitive_attr_create(attributes) == status::kSuccess &&
                api.primitive_attr_set_scratchpad_mode(*attributes, kScratchpadOfUser) == status::kSuccess;
    }
}

Builder::~Builder() {
    for (int i = 0; i < desc_count_; ++i) {
        api.memory_desc_destroy(descs_[i]);
    }
    for (const PrimitiveDesc desc : {made_, hint_}) {
        if (desc != nullptr) {
            api.primitive_desc_destroy(desc);
        }
    }
    for (const Attributes attributes : {attributes_, reorder_attributes_}) {
        if (attributes != nullptr) {
            api.primitive_attr_destroy(attributes);
        }
    }
}

const ndk_tensor *Builder::tensor(int index) const {
    return index < call_->input_count ? call_->inputs[index] : call_->outputs[index - call_->input_count];
}

void Builder::keep(Desc desc) {
    if (desc_count_ == kMostDescs) {
        api.memory_desc_destroy(desc);
        good_ = false;
        return;
    }
    descs_[desc_count_++] = desc;
}

ConstDesc Builder::strided(const ndk_tensor *tensor, int ndim, const std::int64_t *shape, const std::int64_t *strides) {
    Dims extents;
    Dims steps;
    const int type = data_type_of(tensor->dtype);
    good_ = good_ && type != 0 && ndim >= 1 && ndim <= kMostDims;
    std::int64_t reach = 1;
    for (int axis = ndim - 1; good_ && axis >= 0; --axis) {
        extents[axis] = shape[axis];
        // The stride of an extent of 1 says nothing: it becomes that of contiguous memory.
        steps[axis] = shape[axis] == 1 ? reach : strides[axis];
        // Neither reversed nor broadcast: oneDNN has no such tensors.
        good_ = shape[axis] > 0 && steps[axis] > 0;
        reach = steps[axis] * shape[axis] > reach ? steps[axis] * shape[axis] : reach;
    }
    Desc desc = nullptr;
    good_ = good_ && api.memory_desc_create_with_strides(&desc, ndim, extents, type, steps) == status::kSuccess;
    if (!good_) {
        return nullptr;
    }
    keep(desc);
    return desc;
}

ConstDesc Builder::as_it_is(const ndk_tensor *tensor) {
    std::int64_t strides[NDK_MAX_NDIM];
    const std::int64_t size = item_size(tensor->dtype);
    for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
        strides[axis] = tensor->strides[axis] / size;
    }
    return strided(tensor, tensor->ndim, tensor->shape, strides);
}

ConstDesc Builder::any(int ndim, const std::int64_t *shape, std::int32_t dtype) {
    Dims extents;
    for (int axis = 0; axis < ndim && axis < kMostDims; ++axis) {
        extents[axis] = shape[axis];
    }
    Desc desc = nullptr;
    good_ = good_ &&
            api.memory_desc_create_with_tag(&desc, ndim, extents, data_type_of(dtype), kFormatAny) == status::kSuccess;
    if (!good_) {
        return nullptr;
    }
    keep(desc);
    return desc;
}

bool Builder::make_primitive(PrimitiveDesc desc, Primitive &primitive, Desc &scratchpad) {
    if (api.primitive_create(&primitive, desc) != status::kSuccess) {
        return false;
    }
    const ConstDesc wanted = api.primitive_desc_query_md(desc, query::kScratchpad, 0);
    const std::size_t bytes = wanted != nullptr ? api.memory_desc_get_size(wanted) : 0;
    if (bytes > program_.scratchpad_bytes) {
        program_.scratchpad_bytes = bytes;
    }
    return bytes == 0 || api.memory_desc_clone(&scratchpad, wanted) == status::kSuccess;
}

void Builder::argument(int role, int tensor, bool output, ConstDesc given) {
    good_ = good_ && given != nullptr && made_ != nullptr && program_.count < Program::kMostArguments;
    if (!good_) {
        return;
    }
    Argument &argument = program_.arguments[program_.count++];
    argument.role = role;
    argument.tensor = tensor;
    argument.output = output;
    const ConstDesc wanted = api.primitive_desc_query_md(made_, query::kArgument, role);
    good_ = wanted != nullptr && api.memory_desc_clone(&argument.given, given) == status::kSuccess;
    if (!good_ || api.memory_desc_equal(given, wanted) != 0) {
        return;
    }
    good_ = api.memory_desc_clone(&argument.wanted, wanted) == status::kSuccess;
    PrimitiveDesc reorder = nullptr;
    good_ = good_ &&
            api.reorder_primitive_desc_create(&reorder, output ? wanted : given, api.engine, output ? given : wanted,
                                              api.engine, reorder_attributes_) == status::kSuccess;
    good_ = good_ && make_primitive(reorder, argument.reorder, argument.scratchpad);
    if (reorder != nullptr) {
        api.primitive_desc_destroy(reorder);
    }
}

void Builder::prepared(int role, ConstDesc given, void (*prepare)(const ndk_call *call, char *to)) {
    program_.prepare = prepare;
    argument(role, Program::kPrepared, false, given);
}

bool Builder::finish() { return good_ && make_primitive(made_, program_.primitive, program_.scratchpad); }

} // namespace ndk::onednn
