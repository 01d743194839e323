// SPDX-License-Identifier: Apache-2.0
//
// argmax and argmin: the place of the first extremum in the order of C along the axes that go; NaN counts as the
// extremum, as in NumPy.
#include "reduction/either.hpp"
#include "reduction/engine.hpp"
#include "reduction/extremum.hpp"
#include "reduction/kernels.hpp"

namespace ndk {
namespace {

template <typename T>
struct Found {
    T value;
    std::int64_t place; // from the first element that the state is of
};

template <typename T, bool Largest>
struct PlaceOf {
    using In = T;
    using State = Found<T>;
    using Order = Extremum<T, Largest>;
    static constexpr int kPlanes = 1;
    static constexpr bool kInOrder = true;
    static constexpr std::int64_t kLeaf = ReductionLayout::kSegment;
    static constexpr std::int64_t kLeafRows = 256; // merging costs more than a row does
    static constexpr std::int64_t kRowBytes = 4096;
    static constexpr std::int64_t kBlock = 1024; // elements that are searched when the extremum is among them

    static bool settled(const State *) { return false; }
    void empty(State *state) const { *state = {T{}, 0}; }

    void leaf(const T *x, std::int64_t count, State *state) const {
        T best = Order::of_elements(x, count < kBlock ? count : kBlock);
        std::int64_t block = 0;
        for (std::int64_t i = kBlock; i < count; i += kBlock) {
            const T each = Order::of_elements(x + i, count - i < kBlock ? count - i : kBlock);
            if (!Order::wins(best, each)) {
                best = each;
                block = i;
            }
        }
        *state = {best, block + find(x + block, count - block, best)};
    }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, State *states, std::int64_t) const {
        alignas(kVectorBytes) T values[kWidest];
        alignas(kVectorBytes) Lane places[kWidest];
        for (std::int64_t i = 0; i < width; ++i) {
            values[i] = rows[0][i];
            places[i] = 0;
        }
        std::int64_t row = 1;
        for (; row + kTogether <= count; row += kTogether) {
            compare_rows<kTogether>(rows, row, width, values, places);
        }
        for (; row < count; ++row) {
            compare_rows<1>(rows, row, width, values, places);
        }
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = {values[i], places[i]};
        }
    }

    void merge(State *states, std::int64_t count, const State *others, std::int64_t, std::int64_t width,
               std::int64_t) const {
        for (std::int64_t i = 0; i < width; ++i) {
            const bool stays = Order::wins(states[i].value, others[i].value);
            states[i].place = stays ? states[i].place : others[i].place + count;
            states[i].value = stays ? states[i].value : others[i].value;
        }
    }

    void finish(const State *states, std::int64_t, std::int64_t width, std::int64_t, char *out,
                std::int64_t stride) const {
        for (std::int64_t i = 0; i < width; ++i) {
            *reinterpret_cast<std::int64_t *>(out + i * stride) = states[i].place;
        }
    }

private:
    using Lane = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    static constexpr std::int64_t kWidest = kRowBytes / static_cast<std::int64_t>(sizeof(T));
    static constexpr std::int64_t kTogether = 4;

    // The first of the elements that is `value`; all NaN are the same here.
    static std::int64_t find(const T *x, std::int64_t count, T value) {
        if (value != value) {
            return find_if(x, count, [](Vec<T> each) { return unordered<T>(each, each); });
        }
        const Vec<T> wanted = splat(value);
        return find_if(x, count, [wanted](Vec<T> each) { return equal<T>(each, wanted); });
    }

    template <typename Test>
    static std::int64_t find_if(const T *x, std::int64_t count, const Test &test) {
        constexpr std::int64_t kUnroll = 4;
        std::int64_t i = 0;
        for (; i + kUnroll * kLanes<T> <= count; i += kUnroll * kLanes<T>) {
            const auto at = [&](std::int64_t j) { return test(load(x + i + j * kLanes<T>)); };
            if (bits_of<T>((at(0) | at(1)) | (at(2) | at(3))) != 0) {
                break;
            }
        }
        for (; i + kLanes<T> <= count; i += kLanes<T>) {
            if (const unsigned bits = bits_of<T>(test(load(x + i))); bits != 0) {
                return i + __builtin_ctz(bits);
            }
        }
        if (count < kLanes<T>) {
            return __builtin_ctz(bits_of<T>(test(load_partial(x, count))) | 1U << (kLanes<T> - 1));
        }
        return count - kLanes<T> + __builtin_ctz(bits_of<T>(test(load(x + count - kLanes<T>))));
    }

    template <int Count>
    static void compare_rows(const T *const *rows, std::int64_t first, std::int64_t width, T *values, Lane *places) {
        const T *row[Count];
        for (int i = 0; i < Count; ++i) {
            row[i] = rows[first + i];
        }
        std::int64_t column = 0;
        for (; column + kLanes<T> <= width; column += kLanes<T>) {
            auto *at = reinterpret_cast<Bits<T> *>(places + column);
            Vec<T> best = load(values + column);
            Bits<T> place = *at;
            LaneSet<T> numbers = equal<T>(best, best);
            for (int i = 0; i < Count; ++i) {
                const Vec<T> each = load(row[i] + column);
                const LaneSet<T> better = beyond<T, Largest>(each, best) & numbers;
                best = choose<T>(better, each, best);
                place = choose<T>(better, Bits<T>{} + static_cast<Lane>(first + i), place);
                numbers &= equal<T>(each, each);
            }
            store(values + column, best);
            *at = place;
        }
        for (; column < width; ++column) {
            for (int i = 0; i < Count; ++i) {
                if (!Order::wins(values[column], row[i][column])) {
                    values[column] = row[i][column];
                    places[column] = static_cast<Lane>(first + i);
                }
            }
        }
    }
};

template <typename T>
ndk_status place_typed(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return reduce_with<Either<PlaceOf<T, true>, PlaceOf<T, false>>>(host, x, out, {op == NDK_ARGMAX, {}, {}});
}

} // namespace

ndk_status reductions::place(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return x->dtype == NDK_FLOAT32 ? place_typed<float>(host, op, x, out) : place_typed<double>(host, op, x, out);
}

} // namespace ndk
