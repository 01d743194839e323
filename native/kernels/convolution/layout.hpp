// SPDX-License-Identifier: Apache-2.0
//
// How the places of a convolution are cut into panels.
#ifndef NDK_CONVOLUTION_LAYOUT_HPP
#define NDK_CONVOLUTION_LAYOUT_HPP

#include "dots.hpp"
#include "problem.hpp"
#include "tile.hpp"

namespace ndk::convolution {

struct Panel {
    std::int64_t place; // of the first one
    std::int64_t count; // of the places that are lanes
    std::int64_t dots;  // of those after them, which are not
};

// Panels do not cross the end of a unit: an image, where its places fill vectors well enough, and otherwise all images
// together.
template <typename T>
class Layout {
public:
    explicit Layout(const Problem<T> &problem) {
        const std::int64_t pixels = problem.pixels();
        const std::int64_t all = problem.batch * pixels;
        const bool by_image =
            problem.batch > 1 && pixels >= kLanes<T> && 16 * problem.batch * cost(pixels) <= 17 * cost(all);
        unit_ = by_image ? pixels : all;
        units_ = by_image ? problem.batch : 1;
        const std::int64_t vectors = vectors_of(unit_);
        few_ = units_ == 1 && vectors <= kMostVectors;
        vectors_ = few_ || (vectors == 3 && kMostVectors >= 3) || vectors < 2 ? vectors : 2;
        dots_ = unit_ % kLanes<T> <= kMostDots<T> ? unit_ % kLanes<T> : 0;
        per_unit_ = vectors <= vectors_ ? 1 : (vectors + vectors_ - 1) / vectors_;
    }

    bool few() const { return few_; } // all places are in one panel
    std::int64_t vectors() const { return vectors_; }
    std::int64_t width() const { return vectors_ * kLanes<T>; } // of a panel
    std::int64_t dots() const { return dots_; }                 // of the last panel of a unit
    std::int64_t panels() const { return units_ * per_unit_; }

    Panel panel(std::int64_t index) const {
        const std::int64_t first = index % per_unit_ * width();
        const bool last = (index + 1) % per_unit_ == 0;
        return {index / per_unit_ * unit_ + first, last ? unit_ - dots_ - first : width(), last ? dots_ : 0};
    }

private:
    static std::int64_t vectors_of(std::int64_t places) { return (places + kLanes<T> - 1 - kMostDots<T>) / kLanes<T>; }

    // In the time that a lane takes.
    static std::int64_t cost(std::int64_t places) {
        const std::int64_t dots = places % kLanes<T> <= kMostDots<T> ? places % kLanes<T> : 0;
        return vectors_of(places) * kLanes<T> + 2 * dots;
    }

    std::int64_t unit_, units_, per_unit_, vectors_, dots_;
    bool few_;
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_LAYOUT_HPP
