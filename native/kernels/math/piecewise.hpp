// SPDX-License-Identifier: Apache-2.0
//
// Piecewise polynomials for float, where one register holds a table of 16 numbers (AVX-512).
//
// With b = 1 + s a in [1, 16), the two last bits of b's exponent and the two first of its mantissa are the number of
// one of 16 intervals of a, which get wider with a: each has a polynomial of degree 6 in a - centre. Fitted in 40
// digits, with least squares at Chebyshev nodes, the coefficients rounded one after the other and the rest fitted
// again; centres are chosen where the function is nearly a float, so that the first coefficient costs nothing (Gal, An
// accurate elementary mathematical library for the IEEE floating point standard, 1991). Largest relative errors:
// tanh(a) / a 2^-27.9, erf(a) / a 2^-28.6, exp(a^2 / 2) Phi(-a) 2^-27.6. The last interval of the first two then rises
// by another half ulp to its end, so that what comes after it is 1 however the compiler rounds.
#ifndef NDK_MATH_PIECEWISE_HPP
#define NDK_MATH_PIECEWISE_HPP

#include "math/basic.hpp"

#if defined(__AVX512F__)

namespace ndk {

struct Piecewise {
    float scale;
    float centre[16];
    float coefficients[7][16];
};

// For a in [0, 15 / scale). `low` is what the last addition did not take; unused, it costs nothing.
[[gnu::always_inline]] inline Vec<float> piecewise(const Piecewise &table, Vec<float> a, Vec<float> &low) {
    const Bits<float> index = bits_of<float>(a * table.scale + 1.0f) >> 21; // of which the permutation takes four bits
    const auto entry = [&](const float (&row)[16]) -> Vec<float> {
        return _mm512_permutexvar_ps(reinterpret_cast<__m512i>(index), load(row));
    };
    const Vec<float> d = a - entry(table.centre);
    Vec<float> slope = entry(table.coefficients[6]);
    for (int i = 5; i > 0; --i) {
        slope = slope * d + entry(table.coefficients[i]);
    }
    const Vec<float> first = entry(table.coefficients[0]);
    const Vec<float> value = slope * d + first;
    low = slope * d + (first - value);
    return value;
}

// tanh(a) / a for a <= 9.05
alignas(64) inline constexpr Piecewise kTanhPieces = {
    1.65625f,
    {0x1.8240b8p-1f, 0x1.0dfff4p+0f, 0x1.5b359cp+0f, 0x1.a8518cp+0f, 0x1.0eeb64p+1f, 0x1.5c8002p+1f, 0x1.a93020p+1f,
     0x1.f5e03cp+1f, 0x1.35466ap+2f, 0x1.82d320p+2f, 0x1.cfc978p+2f, 0x1.0d8a9cp+3f, 0x1.359884p-4f, 0x1.d292b2p-3f,
     0x1.81a270p-2f, 0x1.0e5deep-1f},
    {{0x1.b0d7b8p-1f, 0x1.7c6932p-1f, 0x1.4a836ap-1f, 0x1.1f3d56p-1f, 0x1.d5f7c0p-2f, 0x1.74decep-2f, 0x1.337768p-2f,
      0x1.04f580p-2f, 0x1.a7c00cp-3f, 0x1.52d646p-3f, 0x1.1a9cbap-3f, 0x1.e64716p-4f, 0x1.ff06f6p-1f, 0x1.f75280p-1f,
      0x1.e91806p-1f, 0x1.d52e0ap-1f},
     {-0x1.564006p-2f, -0x1.5aaa20p-2f, -0x1.37200cp-2f, -0x1.06fdb4p-2f, -0x1.85883ep-3f, -0x1.050692p-3f,
      -0x1.6bd5f8p-4f, -0x1.08951cp-4f, -0x1.5e535ap-5f, -0x1.c06c34p-6f, -0x1.37fc92p-6f, -0x1.cdd8bcp-7f,
      -0x1.9aea0ap-5f, -0x1.2a878ap-3f, -0x1.cc814ap-3f, -0x1.23e3f4p-2f},
     {-0x1.df31c6p-5f, 0x1.187b92p-5f, 0x1.2c50b4p-4f, 0x1.43b480p-4f, 0x1.0617a0p-4f, 0x1.4c6cbap-5f, 0x1.9c8f54p-6f,
      0x1.075cb2p-6f, 0x1.204208p-7f, 0x1.288580p-8f, 0x1.5861e8p-9f, 0x1.b6a362p-10f, -0x1.50ae24p-2f, -0x1.2cf6c0p-2f,
      -0x1.e06030p-3f, -0x1.4bc150p-3f},
     {0x1.150b10p-3f, 0x1.1fd09cp-4f, 0x1.4ffec6p-6f, -0x1.19bae6p-8f, -0x1.ca0e72p-7f, -0x1.629826p-7f,
      -0x1.acff7ap-8f, -0x1.f66a32p-9f, -0x1.d3fa5cp-10f, -0x1.87258ep-11f, -0x1.7bf958p-12f, -0x1.a08eeep-13f,
      0x1.4670a4p-5f, 0x1.c05a58p-4f, 0x1.362822p-3f, 0x1.4dadc0p-3f},
     {-0x1.90e4a2p-5f, -0x1.a627c6p-5f, -0x1.ee3da4p-6f, -0x1.979068p-7f, -0x1.26da74p-11f, 0x1.06a9b4p-9f,
      0x1.7e6b42p-10f, 0x1.bad750p-11f, 0x1.710c42p-12f, 0x1.00408cp-13f, 0x1.a2b2dap-15f, 0x1.8b876ep-16f,
      0x1.07c6e6p-3f, 0x1.85e6bep-4f, 0x1.6dcbe0p-5f, -0x1.404972p-8f},
     {-0x1.4d2e84p-6f, 0x1.5b3b42p-7f, 0x1.d6b216p-7f, 0x1.21ac54p-7f, 0x1.454268p-9f, 0x1.0b71c0p-16f,
      -0x1.ee052cp-13f, -0x1.5752f4p-13f, -0x1.18a448p-14f, -0x1.4fcd1ep-16f, -0x1.d0cdb2p-18f, -0x1.7ac0a6p-19f,
      -0x1.86a0c8p-6f, -0x1.f01998p-5f, -0x1.201facp-4f, -0x1.d60dc2p-5f},
     {0x1.a40744p-6f, 0x1.03b632p-7f, -0x1.25bf56p-9f, -0x1.aa5a88p-9f, -0x1.7360f0p-10f, -0x1.c7a902p-13f,
      0x1.7f2beap-18f, 0x1.ab642cp-16f, 0x1.7e975ap-17f, 0x1.a6d6a6p-19f, 0x1.f95f40p-21f, 0x1.6343e2p-22f,
      -0x1.bce6f2p-5f, -0x1.b62a96p-6f, 0x1.7116fcp-9f, 0x1.86096cp-7f}}};

// erf(a) / a for a <= 3.93
alignas(64) inline constexpr Piecewise kErfPieces = {
    3.8125f,
    {0x1.4f7138p-2f, 0x1.d4d66ap-2f, 0x1.2decf2p-1f, 0x1.7186bep-1f, 0x1.d701a6p-1f, 0x1.2dfc6ap+0f, 0x1.71f832p+0f,
     0x1.b42828p+0f, 0x1.0c2912p+1f, 0x1.5054fcp+1f, 0x1.937598p+1f, 0x1.d5ad20p+1f, 0x1.09b75cp-5f, 0x1.92f740p-4f,
     0x1.4e7b68p-3f, 0x1.d53186p-3f},
    {{0x1.16db56p+0f, 0x1.0de398p+0f, 0x1.029a90p+0f, 0x1.eb54a0p-1f, 0x1.c0ff84p-1f, 0x1.88af58p-1f, 0x1.53c328p-1f,
      0x1.27b6eap-1f, 0x1.e74ab8p-2f, 0x1.85a19ep-2f, 0x1.44de22p-2f, 0x1.17119ap-2f, 0x1.20c388p+0f, 0x1.1fef92p+0f,
      0x1.1e512ep+0f, 0x1.1be3cep+0f},
     {-0x1.d9647cp-3f, -0x1.377928p-2f, -0x1.72408ep-2f, -0x1.9a958cp-2f, -0x1.b54ec2p-2f, -0x1.a62d68p-2f,
      -0x1.732a7cp-2f, -0x1.35ebdep-2f, -0x1.c3809cp-3f, -0x1.27afb4p-3f, -0x1.9c31b8p-4f, -0x1.3036e0p-4f,
      -0x1.8f84f2p-6f, -0x1.2d60bcp-4f, -0x1.ef40a0p-4f, -0x1.560ae6p-3f},
     {-0x1.3b549ep-2f, -0x1.00a6d6p-2f, -0x1.786c10p-3f, -0x1.d5c48ap-4f, -0x1.455660p-6f, 0x1.1a21fap-4f,
      0x1.c6d6dcp-4f, 0x1.da0270p-4f, 0x1.75a8aap-4f, 0x1.b8d942p-5f, 0x1.05183ep-5f, 0x1.4b9a16p-6f, -0x1.806cd4p-2f,
      -0x1.7a7b6ep-2f, -0x1.6ef3dap-2f, -0x1.5de180p-2f},
     {0x1.0a4ed4p-3f, 0x1.48cb9ap-3f, 0x1.65679ap-3f, 0x1.5ff578p-3f, 0x1.24ffa8p-3f, 0x1.53f942p-4f, 0x1.a33484p-6f,
      -0x1.3e2c2ap-7f, -0x1.ad7b10p-6f, -0x1.317116p-6f, -0x1.47c42ap-7f, -0x1.693aeep-8f, 0x1.df2ed2p-7f,
      0x1.678e0ep-5f, 0x1.247118p-4f, 0x1.8dbe84p-4f},
     {0x1.2d270cp-4f, 0x1.5f8f18p-5f, 0x1.4efdd2p-7f, -0x1.3c1c76p-6f, -0x1.99d876p-5f, -0x1.ed464ap-5f,
      -0x1.71b078p-5f, -0x1.7ce24cp-6f, -0x1.013b0ap-10f, 0x1.4b59b8p-8f, 0x1.8bcd40p-9f, 0x1.881690p-10f,
      0x1.d11b86p-4f, 0x1.bfef34p-4f, 0x1.a85b6ep-4f, 0x1.76c280p-4f},
     {-0x1.6816eap-5f, -0x1.87197ep-5f, -0x1.95b794p-5f, -0x1.5643eep-5f, -0x1.57668cp-6f, 0x1.ded93ep-9f,
      0x1.086f42p-6f, 0x1.03f5c8p-6f, 0x1.b41f28p-8f, -0x1.19eba2p-12f, -0x1.9f7dd0p-11f, -0x1.a55e70p-12f,
      -0x1.947674p-8f, -0x1.a333e8p-7f, -0x1.187c28p-6f, -0x1.5deb4ep-6f},
     {-0x1.01f60ap-8f, -0x1.2a1702p-7f, 0x1.c26e64p-12f, 0x1.47333ap-8f, 0x1.1f763ap-6f, 0x1.9c4d9ap-7f, 0x1.b62accp-9f,
      -0x1.8f529ap-9f, -0x1.e8b93cp-9f, -0x1.8dd212p-11f, 0x1.f6cb62p-14f, 0x1.a8a6e8p-14f, -0x1.42e0dcp-1f,
      -0x1.e033fep-3f, -0x1.682d50p-1f, 0x1.2a90c0p-1f}}};

// exp(a^2 / 2) Phi(-a) for a <= 14.5
alignas(64) inline constexpr Piecewise kGeluPieces = {
    1.03125f,
    {0x1.357a46p+0f, 0x1.b2dd68p+0f, 0x1.17cb46p+1f, 0x1.54c658p+1f, 0x1.b1e3fap+1f, 0x1.16ea78p+2f, 0x1.551ceep+2f,
     0x1.93b2b2p+2f, 0x1.f0958ap+2f, 0x1.35c02ep+3f, 0x1.74493cp+3f, 0x1.b14c06p+3f, 0x1.f7e1eap-4f, 0x1.727094p-2f,
     0x1.377052p-1f, 0x1.b18c98p-1f},
    {{0x1.e20fa0p-3f, 0x1.835cbap-3f, 0x1.41d016p-3f, 0x1.12fd22p-3f, 0x1.bffc88p-4f, 0x1.65b7d2p-4f, 0x1.28c536p-4f,
      0x1.f9f756p-5f, 0x1.9e8676p-5f, 0x1.4e2236p-5f, 0x1.16e1fep-5f, 0x1.e020c8p-6f, 0x1.d1612cp-2f, 0x1.883850p-2f,
      0x1.4e841ep-2f, 0x1.22fff6p-2f},
     {-0x1.d48b18p-4f, -0x1.3e0cdep-4f, -0x1.c6581ap-5f, -0x1.53b89ep-5f, -0x1.cdfc96p-6f, -0x1.2c713ap-6f,
      -0x1.a2831cp-7f, -0x1.3271c6p-7f, -0x1.9e3fccp-8f, -0x1.0e8c98p-8f, -0x1.7a132cp-9f, -0x1.18a7cep-9f,
      -0x1.5f444ap-2f, -0x1.0aa0dcp-2f, -0x1.9a1362p-3f, -0x1.4435e6p-3f},
     {0x1.8db392p-5f, 0x1.d4e926p-6f, 0x1.261acap-6f, 0x1.87076ep-7f, 0x1.c3d5d2p-8f, 0x1.e61b34p-9f, 0x1.1f13eep-9f,
      0x1.6b854ep-10f, 0x1.97f64cp-11f, 0x1.b1da7cp-12f, 0x1.fcfe10p-13f, 0x1.46674ap-13f, 0x1.a62adap-3f,
      0x1.27c3e6p-3f, 0x1.a39780p-4f, 0x1.33774cp-4f},
     {-0x1.303150p-6f, -0x1.3d1a82p-7f, -0x1.62685ep-8f, -0x1.a7cbb4p-9f, -0x1.a5ba44p-10f, -0x1.7c0ccap-11f,
      -0x1.7fdd5ep-12f, -0x1.a6c5bcp-13f, -0x1.8c1b9cp-14f, -0x1.588a52p-15f, -0x1.5448a6p-16f, -0x1.79a6c2p-17f,
      -0x1.b1b946p-4f, -0x1.1c2aaap-4f, -0x1.789a26p-5f, -0x1.02b80ep-5f},
     {0x1.aba7eap-8f, 0x1.8f2284p-9f, 0x1.91aee0p-10f, 0x1.b3e350p-11f, 0x1.79a230p-12f, 0x1.2003a4p-13f,
      0x1.f52bdep-15f, 0x1.e28e30p-16f, 0x1.7b83f6p-17f, 0x1.0f2190p-18f, 0x1.c40106p-20f, 0x1.b2bfaep-21f,
      0x1.8b7b86p-5f, 0x1.e89ceep-6f, 0x1.310e14p-6f, 0x1.8bf4bep-7f},
     {-0x1.1abc52p-9f, -0x1.dc2618p-11f, -0x1.b1ee60p-12f, -0x1.ad5c86p-13f, -0x1.4b6036p-14f, -0x1.ae3f26p-16f,
      -0x1.435b50p-17f, -0x1.119fd0p-18f, -0x1.6f0c50p-20f, -0x1.ad2ae6p-22f, -0x1.2d2fdap-23f, -0x1.f705fep-25f,
      -0x1.4a0868p-6f, -0x1.83bf02p-7f, -0x1.cc05c8p-8f, -0x1.15253ap-8f},
     {0x1.59dce0p-11f, 0x1.0b3962p-12f, 0x1.c23c3cp-14f, 0x1.8ae258p-15f, 0x1.11d9f4p-16f, 0x1.336546p-18f,
      0x1.92666cp-20f, 0x1.2f506cp-21f, 0x1.55e842p-23f, 0x1.482c6ep-25f, 0x1.879ac4p-27f, 0x1.1ef5f0p-28f,
      0x1.f70ef8p-8f, 0x1.2d3e8ep-8f, 0x1.36e8d6p-9f, 0x1.4b491cp-10f}}};

} // namespace ndk

#endif // defined(__AVX512F__)
#endif // NDK_MATH_PIECEWISE_HPP
