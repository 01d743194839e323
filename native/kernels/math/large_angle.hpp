// SPDX-License-Identifier: Apache-2.0
//
// The remainder of a large number by pi / 2, exactly as if pi were known to all digits.
//
// Source: Payne and Hanek, Radian reduction for trigonometric functions, 1983. x = M 2^E with an integer M of 53 bits.
// Of 2 / pi, the bits in front contribute multiples of 4 to x 2 / pi, which a quarter of a turn does not change, and
// the bits behind are too small to matter: 192 bits in between are multiplied by M.
#ifndef NDK_MATH_LARGE_ANGLE_HPP
#define NDK_MATH_LARGE_ANGLE_HPP

#include <cstdint>

namespace ndk {

struct Angle {
    std::int64_t quarter; // of the turn: only its two low bits mean something
    double high, low;     // the rest, of magnitude up to pi / 4, as a sum
};

// For a finite x of magnitude 1 or more.
inline Angle reduce_large_angle(double x) {
    // 64 zeros, and 1280 bits of 2 / pi behind the point
    static constexpr std::uint64_t kTwoOverPi[] = {
        0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
        0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
        0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
        0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
        0xf0cfbc209af4361d};
    constexpr std::uint64_t kHalfPi = 0xc90fdaa22168c235; // 2^63 pi / 2
    __extension__ typedef unsigned __int128 Wide;

    std::uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    const bool negative = bits >> 63 != 0;
    const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1075;
    const std::uint64_t integer = (bits & 0xfffffffffffff) | 0x10000000000000;

    // The 192 bits from `place` on; the value of the first is such that their product with M counts modulo 2^192.
    const int place = 64 + exponent - 2;
    const auto word = [&](int index) {
        const std::uint64_t *from = kTwoOverPi + place / 64 + index;
        const int shift = place % 64;
        return shift == 0 ? *from : *from << shift | from[1] >> (64 - shift);
    };
    const Wide low = static_cast<Wide>(integer) * word(2);
    const Wide middle = static_cast<Wide>(integer) * word(1) + static_cast<std::uint64_t>(low >> 64);
    std::uint64_t t[3] = {integer * word(0) + static_cast<std::uint64_t>(middle >> 64),
                          static_cast<std::uint64_t>(middle), static_cast<std::uint64_t>(low)};

    // Two bits of quarters, then the fraction, which is brought to [-1/2, 1/2).
    std::int64_t quarter = static_cast<std::int64_t>(t[0] >> 62);
    t[0] = t[0] << 2 | t[1] >> 62;
    t[1] = t[1] << 2 | t[2] >> 62;
    t[2] <<= 2;
    const bool below = t[0] >> 63 != 0;
    if (below) {
        ++quarter;
        t[2] = ~t[2] + 1;
        t[1] = ~t[1] + (t[2] == 0 ? 1 : 0);
        t[0] = ~t[0] + (t[2] == 0 && t[1] == 0 ? 1 : 0);
    }
    int zeros = 0; // in front of the fraction's first one; a double is never so near to a multiple that all are
    if (t[0] == 0) {
        t[0] = t[1];
        t[1] = t[2];
        zeros = 64;
    }
    if (t[0] == 0) {
        return {negative ? -quarter : quarter, 0.0, 0.0};
    }
    if (const int more = __builtin_clzll(t[0]); more != 0) {
        t[0] = t[0] << more | t[1] >> (64 - more);
        zeros += more;
    }
    const auto product = static_cast<std::uint64_t>(static_cast<Wide>(t[0]) * kHalfPi >> 64);
    const std::uint64_t unit_bits = static_cast<std::uint64_t>(1023 - 63 - zeros) << 52; // of 2^(-63 - zeros)
    double unit;
    __builtin_memcpy(&unit, &unit_bits, sizeof(unit));
    unit = negative != below ? -unit : unit;
    return {negative ? -quarter : quarter, static_cast<double>(static_cast<std::int64_t>(product >> 11)) * 2048 * unit,
            static_cast<double>(static_cast<std::int64_t>(product & 0x7ff)) * unit};
}

} // namespace ndk
#endif // NDK_MATH_LARGE_ANGLE_HPP
