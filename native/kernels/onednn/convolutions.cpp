// SPDX-License-Identifier: Apache-2.0
//
// Convolutions and their gradients. oneDNN chooses the order of images and weights, except that images whose channels
// are the last axis stay as they are, which it likes.
#include "convolution/arguments.hpp"
#include "onednn/operators.hpp"

namespace ndk::onednn {
namespace {

using convolution::kAxes;
using convolution::Settings;
using convolution::Volume;

struct Shape {
    int ndim = 0;
    std::int64_t extents[kAxes + 3];
    std::int64_t strides[kAxes + 3];

    void add(std::int64_t extent, std::int64_t stride) {
        extents[ndim] = extent;
        strides[ndim++] = stride;
    }
};

// Images and weights of a call as oneDNN numbers their axes: channels before space, and groups first.
struct Geometry {
    Settings settings;
    int spatial;
    Shape x, w, y;
    Dims steps, gaps, before, behind; // stride, dilation - 1, padding

    Geometry(const ndk_tensor *images, const ndk_tensor *weights, const ndk_tensor *results,
             const std::int64_t *integers)
        : settings(integers), spatial(images->ndim - 2) {
        const Volume from(images, settings.channels_last);
        const Volume filters(weights, false);
        const Volume to(results, settings.channels_last);
        x = shape_of(from);
        y = shape_of(to);
        const std::int64_t groups = settings.groups;
        if (groups > 1) {
            w.add(groups, filters.outer / groups * filters.outer_stride);
        }
        w.add(filters.outer / groups, filters.outer_stride);
        w.add(filters.inner, filters.inner_stride);
        for (int axis = kAxes - spatial; axis < kAxes; ++axis) {
            w.add(filters.space[axis], filters.strides[axis]);
            const int i = axis - (kAxes - spatial);
            steps[i] = settings.stride[axis];
            gaps[i] = settings.dilation[axis] - 1;
            before[i] = settings.pad[axis];
            behind[i] = (to.space[axis] - 1) * settings.stride[axis] +
                        (filters.space[axis] - 1) * settings.dilation[axis] + 1 - from.space[axis] - before[i];
        }
    }

    Shape shape_of(const Volume &volume) const {
        Shape shape;
        shape.add(volume.outer, volume.outer_stride);
        shape.add(volume.inner, volume.inner_stride);
        for (int axis = kAxes - spatial; axis < kAxes; ++axis) {
            shape.add(volume.space[axis], volume.strides[axis]);
        }
        return shape;
    }
};

bool fits(const ndk_tensor *x, const ndk_tensor *w, const ndk_tensor *y, const ndk_call &call) {
    if (x->ndim < 3 || x->ndim > kAxes + 2 || w->ndim != x->ndim || y->ndim != x->ndim || w->dtype != x->dtype ||
        y->dtype != x->dtype || call.integers[1] < 1) {
        return false;
    }
    const Settings settings(call.integers);
    return convolution::fits(Volume(x, settings.channels_last), Volume(w, false), Volume(y, settings.channels_last),
                             settings);
}

struct Descs {
    ConstDesc x, w, y;             // as they are
    ConstDesc any_x, any_w, any_y; // as oneDNN wants them

    Descs(Builder &builder, const Geometry &geometry, const ndk_tensor *images, const ndk_tensor *weights,
          const ndk_tensor *results)
        : x(builder.strided(images, geometry.x.ndim, geometry.x.extents, geometry.x.strides)),
          w(builder.strided(weights, geometry.w.ndim, geometry.w.extents, geometry.w.strides)),
          y(builder.strided(results, geometry.y.ndim, geometry.y.extents, geometry.y.strides)),
          any_x(geometry.settings.channels_last ? x : builder.any(geometry.x.ndim, geometry.x.extents, images->dtype)),
          any_w(builder.any(geometry.w.ndim, geometry.w.extents, weights->dtype)),
          any_y(geometry.settings.channels_last ? y
                                                : builder.any(geometry.y.ndim, geometry.y.extents, results->dtype)) {}

    bool good() const {
        return x != nullptr && w != nullptr && y != nullptr && any_x != nullptr && any_w != nullptr && any_y != nullptr;
    }
};

} // namespace

bool build_convolution(Builder &builder) {
    const ndk_tensor *x = builder.tensor(0);
    const ndk_tensor *w = builder.tensor(1);
    const ndk_tensor *bias = builder.tensor(2);
    const ndk_tensor *y = builder.tensor(3);
    if (!fits(x, w, y, builder.call()) ||
        (bias != nullptr && (bias->ndim != 1 || bias->shape[0] != w->shape[0] || bias->dtype != x->dtype))) {
        return false;
    }
    const Geometry geometry(x, w, y, builder.call().integers);
    const Descs descs(builder, geometry, x, w, y);
    const ConstDesc terms = bias == nullptr ? nullptr : builder.as_it_is(bias);
    if (!descs.good() || (bias != nullptr && terms == nullptr) ||
        api.convolution_forward_primitive_desc_create(builder.made(), api.engine, prop::kInference,
                                                      alg::kConvolutionDirect, descs.any_x, descs.any_w, terms,
                                                      descs.any_y, geometry.steps, geometry.gaps, geometry.before,
                                                      geometry.behind, builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, descs.x);
    builder.argument(role::kWeights, 1, false, descs.w);
    if (bias != nullptr) {
        builder.argument(role::kBias, 2, false, terms);
    }
    builder.argument(role::kDestination, 3, true, descs.y);
    return true;
}

namespace {

// What the gradients are those of.
bool hint(Builder &builder, const Geometry &geometry, const Descs &descs) {
    return api.convolution_forward_primitive_desc_create(builder.hint(), api.engine, prop::kInference,
                                                         alg::kConvolutionDirect, descs.any_x, descs.any_w, nullptr,
                                                         descs.any_y, geometry.steps, geometry.gaps, geometry.before,
                                                         geometry.behind, builder.attributes()) == status::kSuccess;
}

} // namespace

bool build_convolution_input_gradient(Builder &builder) {
    const ndk_tensor *y = builder.tensor(0);
    const ndk_tensor *w = builder.tensor(1);
    const ndk_tensor *x = builder.tensor(3);
    if (builder.tensor(2) != nullptr || !fits(x, w, y, builder.call())) {
        return false;
    }
    const Geometry geometry(x, w, y, builder.call().integers);
    const Descs descs(builder, geometry, x, w, y);
    if (!descs.good() || !hint(builder, geometry, descs) ||
        api.convolution_backward_data_primitive_desc_create(
            builder.made(), api.engine, alg::kConvolutionDirect, descs.any_x, descs.any_w, descs.any_y, geometry.steps,
            geometry.gaps, geometry.before, geometry.behind, *builder.hint(),
            builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kGradDestination, 0, false, descs.y);
    builder.argument(role::kWeights, 1, false, descs.w);
    builder.argument(role::kGradSource, 3, true, descs.x);
    return true;
}

bool build_convolution_weight_gradient(Builder &builder) {
    const ndk_tensor *y = builder.tensor(0);
    const ndk_tensor *x = builder.tensor(1);
    const ndk_tensor *w = builder.tensor(2);
    if (!fits(x, w, y, builder.call())) {
        return false;
    }
    const Geometry geometry(x, w, y, builder.call().integers);
    const Descs descs(builder, geometry, x, w, y);
    if (!descs.good() || !hint(builder, geometry, descs) ||
        api.convolution_backward_weights_primitive_desc_create(
            builder.made(), api.engine, alg::kConvolutionDirect, descs.any_x, descs.any_w, nullptr, descs.any_y,
            geometry.steps, geometry.gaps, geometry.before, geometry.behind, *builder.hint(),
            builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kGradDestination, 0, false, descs.y);
    builder.argument(role::kSource, 1, false, descs.x);
    builder.argument(role::kGradWeights, 2, true, descs.w);
    return true;
}

} // namespace ndk::onednn
