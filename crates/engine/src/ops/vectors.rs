//! Elementary functions on AVX-512 registers, with the bits of those of `math`.

use std::arch::x86_64::*;

/// `math::exp` with fused multiply-adds, of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn exp_16(x: __m512) -> __m512 {
    let all = |value: f32| _mm512_set1_ps(value);
    let magic = all(12_582_912.0);
    // The second operand is the one that a NaN gives.
    let x = _mm512_min_ps(all(88.0), _mm512_max_ps(all(-87.0), x));
    let shifted = _mm512_fmadd_ps(x, all(std::f32::consts::LOG2_E), magic);
    let n = _mm512_sub_ps(shifted, magic);
    let r = _mm512_fnmadd_ps(n, all(0.693_359_4), x);
    let r = _mm512_fnmadd_ps(n, all(-2.121_944_4e-4), r);
    let mut p = all(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = _mm512_fmadd_ps(p, r, all(coefficient));
    }
    let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
    _mm512_mul_ps(p, _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(127 << 23))))
}

/// `math::sigmoid` with fused multiply-adds, of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn sigmoid_16(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let minus = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MIN)));
    _mm512_div_ps(one, _mm512_add_ps(one, exp_16(minus)))
}

/// `Bf16::from_f32` and back, of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn round_16(x: __m512) -> __m512 {
    let bits = _mm512_castps_si512(x);
    let last = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
    let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x40_0000));
    let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
    let chosen = _mm512_mask_mov_epi32(rounded, is_nan, quiet);
    _mm512_castsi512_ps(_mm512_and_si512(chosen, _mm512_set1_epi32(0xffff_0000_u32 as i32)))
}

/// 32 numbers that `round_16` gave, as bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub fn pack_32(low: __m512, high: __m512) -> __m512i {
    const UPPER_HALVES: [i16; 32] = {
        let mut index = [0; 32];
        let mut i = 0;
        while i < 32 {
            index[i] = 2 * i as i16 + 1;
            i += 1;
        }
        index
    };
    // SAFETY: the array is as long as a register.
    let index = unsafe { _mm512_loadu_si512(UPPER_HALVES.as_ptr().cast()) };
    _mm512_permutex2var_epi16(_mm512_castps_si512(low), index, _mm512_castps_si512(high))
}

/// 32 bf16 numbers, the lower and the upper 16.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn unpack_32(packed: __m512i) -> [__m512; 2] {
    [_mm512_castsi512_si256(packed), _mm512_extracti64x4_epi64::<1>(packed)]
        .map(|half| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::{Bf16, Element};
    use crate::isa::Isa;
    use crate::ops::math::{exp, sigmoid};

    #[test]
    fn sigmoid_and_rounding_have_the_bits_of_the_plain_ones() {
        if !(Isa::Avx512.available()) {
            return;
        }
        let mut state = 1u32;
        let special = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-42, 1.0];
        for round in 0..2000 {
            let mut values = [0.0f32; 32];
            for value in &mut values {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = if round % 2 == 0 { f32::from_bits(state) } else { state as f32 / 1e8 - 20.0 };
            }
            values[..special.len()].copy_from_slice(&special);
            let (mut rounded, mut back, mut sigmoids) = ([Bf16::default(); 32], [0.0f32; 32], [0.0f32; 16]);
            // SAFETY: the machine has AVX-512; the arrays hold what is loaded and stored.
            unsafe {
                let (low, high) = (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(16)));
                let packed = pack_32(round_16(low), round_16(high));
                _mm512_storeu_si512(rounded.as_mut_ptr().cast(), packed);
                for (half, numbers) in unpack_32(packed).into_iter().enumerate() {
                    _mm512_storeu_ps(back.as_mut_ptr().add(16 * half), numbers);
                }
                _mm512_storeu_ps(sigmoids.as_mut_ptr(), sigmoid_16(low));
            }
            for ((&value, rounded), back) in values.iter().zip(rounded).zip(back) {
                assert_eq!(rounded, Bf16::from_f32(value), "{value}");
                assert_eq!(back.to_bits(), rounded.to_f32().to_bits());
            }
            for (&value, got) in values.iter().zip(sigmoids) {
                let want = sigmoid::<true>(value);
                assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "sigmoid({value})");
            }
        }
    }

    #[test]
    fn exp_has_the_bits_of_the_plain_one() {
        if !Isa::Avx512.available() {
            return;
        }
        let special = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -87.0, 88.0, -100.0, 100.0, 1e-30];
        let all: Vec<f32> = (-8800..8900).map(|step| step as f32 * 0.01 + 0.0037).chain(special).collect();
        for chunk in all.chunks(16) {
            let mut values = [0.0f32; 16];
            values[..chunk.len()].copy_from_slice(chunk);
            let mut got = [0.0f32; 16];
            // SAFETY: the machine has AVX-512; the arrays hold 16 numbers.
            unsafe { _mm512_storeu_ps(got.as_mut_ptr(), exp_16(_mm512_loadu_ps(values.as_ptr()))) };
            for (got, value) in got.into_iter().zip(values) {
                let want = exp::<true>(value);
                assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "exp({value})");
            }
        }
    }
}
