// SPDX-License-Identifier: Apache-2.0
//
// Winograd's algorithm F(4x4, 3x3) in float32. The error is about 1e-5 of the largest element of the result (Lavin and
// Gray, CVPR 2016). An element that is not finite, or sums that overflow although the result does not, would make NaN
// of whole tiles: the caller hears of it, and computes the result anew.
//
// The output is cut into tiles of 4 x 4. For each of the 36 products of a tile, the sum over the channels is a matrix
// product of transformed weights u (filters x channels) and transformed input v (channels x tiles). A block of tiles is
// transformed, then for one block of filters after the other the products are computed, with the channels in pieces,
// and transformed back.
//
// Scratch memory: the transformed input of a block of tiles, at most 6.8 MiB per thread, and its products, 1.1 MiB per
// thread. The transformed weights have 4 times (and with the edges of blocks at most 8 times) the size of the weights
// where there are several blocks of tiles, and 1 MiB per thread otherwise; worth_winograd limits them to 64 MiB.
#include "convolution/winograd.hpp"

#include "convolution/tile.hpp"
#include "convolution/winograd_transforms.hpp"
#include "math/basic.hpp"

namespace ndk::convolution {
namespace {

using namespace winograd;

constexpr std::int64_t kFilterBlock = 48;
constexpr std::int64_t kChannelBlock = 128;
constexpr std::int64_t kMostTiles = 128; // in a block
constexpr std::int64_t kInputElements = 1200000;
constexpr std::int64_t kLane = kLanes<float>;
constexpr std::int64_t kWeightRow = kChannelBlock + 16;                 // other cache sets for the next filter
constexpr std::int64_t kWeightStep = kFilterBlock * kWeightRow + kLane; // and for the next product
constexpr std::int64_t kWeightBlock = kProducts * kWeightStep;
constexpr std::int64_t kMostStoredWeights = 16 << 20; // elements

constexpr std::int64_t kAhead = 4 * kLane * kKernel * kKernel; // elements; for weights without gaps

std::int64_t round_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }
std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

class Winograd {
public:
    Winograd(const Problem<float> &problem) : problem_(problem) {
        lines_ = (problem.out[1] + kOut - 1) / kOut;
        columns_ = (problem.out[2] + kOut - 1) / kOut;
        segments_per_line_ = (columns_ + kLane - 1) / kLane;
        segment_tiles_ = (columns_ + segments_per_line_ - 1) / segments_per_line_;
        const std::int64_t fitting = kInputElements / (kProducts * problem.channels) / kLane * kLane;
        const std::int64_t most = fitting < kLane ? kLane : least(fitting, kMostTiles);
        const std::int64_t most_segments = least(most / segment_tiles_, segments());
        const std::int64_t least_blocks = (segments() + most_segments - 1) / most_segments;
        block_segments_ = (segments() + least_blocks - 1) / least_blocks; // about as much work in the last block
        blocks_ = (segments() + block_segments_ - 1) / block_segments_;
        row_ = round_up(block_segments_ * segment_tiles_, kLane);
        row_ += row_ / kLane % 2 == 0 ? kLane : 0; // an odd number of lines: other cache sets for the next channel
        filter_blocks_ = (problem.filters + kFilterBlock - 1) / kFilterBlock;
        channel_blocks_ = (problem.channels + kChannelBlock - 1) / kChannelBlock;
    }

    std::int64_t segments() const { return problem_.batch * problem_.out[0] * lines_ * segments_per_line_; }
    std::int64_t blocks() const { return blocks_; }
    std::int64_t filter_blocks() const { return filter_blocks_; }
    std::int64_t padded_tiles() const { return blocks_ * round_up(block_segments_ * segment_tiles_, kLane); }

    // Elements of memory: for the weights of a group where they are kept, and for each thread.
    std::int64_t stored_weights() const { return filter_blocks_ * channel_blocks_ * kWeightBlock; }
    std::int64_t input_elements() const { return kProducts * input_step() + kLane; }
    std::int64_t product_elements() const { return kProducts * product_step() + kLane; }

    void transform_filters(std::int64_t group, std::int64_t filter_block, std::int64_t channel_block, float *to) const {
        const std::int64_t first = filter_block * kFilterBlock;
        const std::int64_t filters = least(problem_.filters - first, kFilterBlock);
        const std::int64_t channel = channel_block * kChannelBlock;
        const std::int64_t channels = least(problem_.channels - channel, kChannelBlock);
        for (std::int64_t filter = 0; filter < filters; ++filter) {
            const float *w = problem_.w + group * problem_.w_group + (first + filter) * problem_.w_filter +
                             channel * problem_.w_channel;
            for (std::int64_t c = 0; c < channels; c += kLane) {
                for (std::int64_t line = 0; line < kLane * kKernel * kKernel; line += kLane) {
                    __builtin_prefetch(w + c * problem_.w_channel + kAhead + line); // harmless where there is nothing
                }
                weights(w + c * problem_.w_channel, problem_.w_channel, problem_.w_space + 1,
                        least(channels - c, kLane), to + filter * kWeightRow + c, kWeightStep);
            }
        }
    }

    // The tiles of one block and the filter blocks [filter_block, filter_end). `stored` are all of the group's weights,
    // or null: then they are transformed into `block`. Whether all of the result is finite.
    bool run(std::int64_t group, std::int64_t tiles, std::int64_t filter_block, std::int64_t filter_end,
             const float *stored, float *block, float *v, float *m) const {
        Vec<float> seen{};
        Segment found[kMostTiles];
        const std::int64_t first = tiles * block_segments_;
        const std::int64_t count = least(segments() - first, block_segments_);
        std::int64_t places = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            found[i] = segment(first + i, places);
            places += found[i].count;
            // What the last one leaves of its vector is 0, or little else, not whatever was in memory.
            transform_segment(group, found[i], i + 1 < count ? found[i].count : least(row_ - found[i].place, kLane), v);
        }
        for (; filter_block < filter_end; ++filter_block) {
            const std::int64_t filters = least(problem_.filters - filter_block * kFilterBlock, kFilterBlock);
            for (std::int64_t piece = 0; piece < channel_blocks_; ++piece) {
                const float *u = block;
                if (stored != nullptr) {
                    u = stored + (filter_block * channel_blocks_ + piece) * kWeightBlock;
                } else {
                    transform_filters(group, filter_block, piece, block);
                }
                multiply_block(u, v, m, filters, piece, places);
            }
            for (std::int64_t filter = 0; filter < filters; ++filter) {
                write_filter(group, filter_block * kFilterBlock + filter, found, count, m + filter * row_, seen);
            }
        }
        return !any_of<float>(seen != seen);
    }

private:
    std::int64_t input_step() const { return problem_.channels * row_ + kLane; }
    std::int64_t product_step() const { return kFilterBlock * row_ + kLane; }

    Segment segment(std::int64_t index, std::int64_t place) const {
        const std::int64_t part = index % segments_per_line_;
        const std::int64_t line = index / segments_per_line_ % lines_;
        const std::int64_t plane = index / (segments_per_line_ * lines_);
        const std::int64_t column = part * segment_tiles_;
        return {plane / problem_.out[0],
                plane % problem_.out[0],
                line * kOut,
                column * kOut,
                least(columns_ - column, segment_tiles_),
                place};
    }

    void transform_segment(std::int64_t group, const Segment &segment, std::int64_t lanes, float *v) const {
        const std::int64_t line = segment.line - problem_.pad[1];
        const std::int64_t column = segment.column - problem_.pad[2];
        Window window{line < 0 ? -line : 0, least(problem_.in[1] - line, kIn), column < 0 ? -column : 0,
                      least(problem_.in[2] - column, kOut * segment.count + 2)};
        if (window.begin >= window.end) {
            window.last_line = 0;
        }
        const float *x = problem_.x + group * problem_.x_group + segment.image * problem_.x_batch +
                         segment.plane * problem_.x_space[0] + line * problem_.x_space[1] +
                         column * problem_.x_space[2];
        for (std::int64_t channel = 0; channel < problem_.channels; ++channel) {
            input(x + channel * problem_.x_channel, problem_.x_space[1], problem_.x_space[2], window, lanes,
                  v + channel * row_ + segment.place, input_step());
        }
    }

    void multiply_block(const float *u, const float *v, float *m, std::int64_t filters, std::int64_t piece,
                        std::int64_t places) const {
        constexpr float kZeros[kMostFilters] = {};
        const std::int64_t channel = piece * kChannelBlock;
        Tile<float> tile{};
        tile.depth = least(problem_.channels - channel, kChannelBlock);
        tile.a_row = kWeightRow;
        tile.b_row = row_;
        tile.c_row = row_;
        tile.start = piece == 0 ? kZeros : nullptr;
        tile.last = kLane;
        const std::int64_t vectors = (places + kLane - 1) / kLane;
        for (std::int64_t product = 0; product < kProducts; ++product) {
            for (std::int64_t j = 0; j < vectors;) {
                const std::int64_t width = vectors - j >= 2 ? 2 : 1;
                const std::int64_t height = tile_filters(static_cast<int>(width));
                tile.b = v + product * input_step() + channel * row_ + j * kLane;
                for (std::int64_t i = 0; i < filters; i += height) {
                    tile.a = u + product * kWeightStep + i * kWeightRow;
                    tile.c = m + product * product_step() + i * row_ + j * kLane;
                    kMultiplies<float>[width - 1].by_filters[least(filters - i, height) - 1](tile);
                }
                j += width;
            }
        }
    }

    void write_filter(std::int64_t group, std::int64_t filter, const Segment *found, std::int64_t count, const float *m,
                      Vec<float> &seen) const {
        const float bias = problem_.bias_of(group, filter);
        float *y = problem_.y + group * problem_.y_group + filter * problem_.y_filter;
        for (std::int64_t i = 0; i < count; ++i) {
            const Segment &segment = found[i];
            output(m + segment.place, product_step(), bias,
                   y + segment.image * problem_.y_batch + segment.plane * problem_.y_space[0] +
                       segment.line * problem_.y_space[1] + segment.column * problem_.y_space[2],
                   problem_.y_space[1], problem_.y_space[2], least(problem_.out[1] - segment.line, kOut),
                   least(problem_.out[2] - segment.column, kOut * segment.count), seen);
        }
    }

    const Problem<float> &problem_;
    std::int64_t lines_, columns_; // of tiles
    std::int64_t segments_per_line_, segment_tiles_;
    std::int64_t block_segments_, blocks_;
    std::int64_t row_; // from one channel of v, or filter of m, to the next
    std::int64_t filter_blocks_, channel_blocks_;
};

} // namespace

bool may_winograd(const Problem<float> &problem) {
    if (problem.kernel[0] != 1 || problem.stride[0] != 1) {
        return false;
    }
    for (int axis = 1; axis < kAxes; ++axis) {
        if (problem.kernel[axis] != kKernel || problem.stride[axis] != 1 || problem.dilation[axis] != 1) {
            return false;
        }
    }
    return problem.channels >= 8 && problem.filters >= 8 && problem.channels <= 1024;
}

bool worth_winograd(const Problem<float> &problem) {
    if (!may_winograd(problem) || problem.pad[0] != 0 || problem.in[0] < problem.out[0]) {
        return false;
    }
    const Winograd winograd(problem);
    if (winograd.blocks() > 1 && winograd.stored_weights() > kMostStoredWeights) {
        return false;
    }
    // Estimates in instructions of a core that does two per cycle: multiplications, and transformations.
    const auto pixels = static_cast<double>(problem.batch * problem.pixels());
    const auto tiles = static_cast<double>(winograd.padded_tiles());
    const auto channels = static_cast<double>(problem.channels);
    const auto filters = static_cast<double>(problem.filters);
    constexpr double kVector = kLane;
    const double product = 9 * pixels * channels * filters / kVector;
    const double products = 36 * tiles * channels * filters / kVector;
    const double transforms = (30 * channels * filters + 25 * tiles * (channels + filters)) * 16 / kVector;
    return products + transforms < product;
}

std::int64_t winograd_size(const Problem<float> &problem) {
    return problem.groups * Winograd(problem).stored_weights();
}

void transform_weights(const ndk_host *host, const Problem<float> &problem, float *to) {
    const Winograd winograd(problem);
    const std::int64_t blocks = winograd.stored_weights() / kWeightBlock;
    const std::int64_t channel_blocks = blocks / winograd.filter_blocks();
    const std::int64_t count = problem.groups * blocks;
    constexpr std::int64_t kGrain = 8; // blocks that are worth another thread
    const std::int64_t hands = parts_for(host, count / kGrain);
    parallel_for(host, hands, [&](std::int64_t hand) {
        const std::int64_t end = part_begin(count, hands, hand + 1, 1);
        for (std::int64_t i = part_begin(count, hands, hand, 1); i < end; ++i) {
            winograd.transform_filters(i / blocks, i % blocks / channel_blocks, i % channel_blocks,
                                       to + i * kWeightBlock);
        }
    });
}

ndk_status run_winograd(const ndk_host *host, const Problem<float> &problem, const float *weights, bool &finite) {
    const Winograd winograd(problem);
    const auto work = static_cast<double>(problem.groups) * static_cast<double>(problem.channels) *
                      static_cast<double>(problem.filters) * static_cast<double>(winograd.padded_tiles() + 32);
    const std::int64_t parts = parts_for(host, work < 1e9 ? static_cast<std::int64_t>(work / 50000) : 20000);
    const bool stored = winograd.blocks() > 1 && weights == nullptr;
    const std::int64_t wanted = parts == 1 ? 1 : 4 * parts;
    const std::int64_t down = winograd.blocks() >= wanted ? 1 : least(winograd.filter_blocks(), wanted);
    const std::int64_t pieces = winograd.blocks() * down;
    const std::int64_t dealers = least(parts, pieces);

    const Scratch<float> all(host, stored ? winograd.stored_weights() : 0);
    if (stored && all.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    bool out_of_memory = false;
    finite = true;
    for (std::int64_t group = 0; group < problem.groups; ++group) {
        if (stored) {
            const std::int64_t channel_blocks = winograd.stored_weights() / kWeightBlock / winograd.filter_blocks();
            const std::int64_t count = winograd.filter_blocks() * channel_blocks;
            const std::int64_t hands = least(parts, count);
            parallel_for(host, hands, [&](std::int64_t hand) {
                const std::int64_t end = part_begin(count, hands, hand + 1, 1);
                for (std::int64_t i = part_begin(count, hands, hand, 1); i < end; ++i) {
                    winograd.transform_filters(group, i / channel_blocks, i % channel_blocks,
                                               all.get() + i * kWeightBlock);
                }
            });
        }
        parallel_for(host, dealers, [&](std::int64_t dealer) {
            const Scratch<float> input(host, winograd.input_elements());
            const Scratch<float> products(host, winograd.product_elements());
            const Scratch<float> block(host, stored || weights != nullptr ? 0 : kWeightBlock);
            if (input.get() == nullptr || products.get() == nullptr ||
                (!stored && weights == nullptr && block.get() == nullptr)) {
                __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
                return;
            }
            const std::int64_t end = part_begin(pieces, dealers, dealer + 1, 1);
            for (std::int64_t piece = part_begin(pieces, dealers, dealer, 1); piece < end;) {
                // All pieces of a block of tiles at once: it is transformed for them.
                const std::int64_t tiles = piece / down;
                const std::int64_t until = least((tiles + 1) * down, end);
                if (!winograd.run(group, tiles, part_begin(winograd.filter_blocks(), down, piece - tiles * down, 1),
                                  part_begin(winograd.filter_blocks(), down, until - tiles * down, 1),
                                  weights != nullptr ? weights + group * winograd.stored_weights() : all.get(),
                                  block.get(), input.get(), products.get())) {
                    __atomic_store_n(&finite, false, __ATOMIC_RELAXED);
                }
                piece = until;
            }
        });
    }
    return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
}

} // namespace ndk::convolution
