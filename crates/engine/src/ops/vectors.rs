//! Elementary functions on AVX-512 registers, with the bits of those of `math`.

use std::any::TypeId;
use std::arch::x86_64::*;

use crate::element::{Bf16, Element};
use crate::isa::{Isa, isa};

/// Whether E is bf16 and the processor rounds to it by itself. One with AVX-512 that does not goes by the plain loops: its products of bf16 are slow
/// enough that the rounding beside them matters little.
pub fn rounds<E: Element>() -> bool {
    TypeId::of::<E>() == TypeId::of::<Bf16>() && matches!(isa(), Isa::Amx | Isa::Avx512Bf16)
}

/// `math::exp` with fused multiply-adds, of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn exp_16(x: __m512) -> __m512 {
    // The second operand is the one that a NaN gives.
    exp_within(_mm512_min_ps(_mm512_set1_ps(88.0), _mm512_max_ps(_mm512_set1_ps(-87.0), x)))
}

/// `exp_16` of numbers within its range.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp_within(x: __m512) -> __m512 {
    let all = |value: f32| _mm512_set1_ps(value);
    let magic = all(12_582_912.0);
    let shifted = _mm512_fmadd_ps(x, all(std::f32::consts::LOG2_E), magic);
    let n = _mm512_sub_ps(shifted, magic);
    let r = _mm512_fnmadd_ps(n, all(0.693_359_4), x);
    let r = _mm512_fnmadd_ps(n, all(-2.121_944_4e-4), r);
    let mut p = all(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = _mm512_fmadd_ps(p, r, all(coefficient));
    }
    _mm512_scalef_ps(p, n)
}

/// `math::sigmoid` with fused multiply-adds, of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn sigmoid_16(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    // Turned around after it is brought into range: the multiplications then take the sign on.
    let within = _mm512_max_ps(_mm512_set1_ps(-88.0), _mm512_min_ps(_mm512_set1_ps(87.0), x));
    let minus = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(within), _mm512_set1_epi32(i32::MIN)));
    _mm512_div_ps(one, _mm512_add_ps(one, exp_within(minus)))
}

/// Two times 16 numbers as bf16, with the bits of `Bf16::from_f32` but for denormal numbers, which become zeros: what the products take them
/// for. The processor's instruction takes 3 steps where the plain way takes 17.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub fn round_32(low: __m512, high: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both are 512 bits of any value.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) }
}

/// Of 32 bf16 numbers those at even places and those at odd ones, which takes fewer steps than the lower and the upper.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn evens_and_odds(packed: __m512i) -> [__m512; 2] {
    let odds = _mm512_and_si512(packed, _mm512_set1_epi32(0xffff_0000_u32 as i32));
    [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(packed)), _mm512_castsi512_ps(odds)]
}

/// As `round_32`, of the numbers at even places and those at odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn round_evens_and_odds([evens, odds]: [__m512; 2]) -> __m512i {
    const BY_TURNS: [i16; 32] = {
        let mut index = [0; 32];
        let mut i = 0;
        while i < 32 {
            index[i] = (i / 2 + i % 2 * 16) as i16;
            i += 1;
        }
        index
    };
    // SAFETY: the array is as long as a register.
    let index = unsafe { _mm512_loadu_si512(BY_TURNS.as_ptr().cast()) };
    _mm512_permutexvar_epi16(index, round_32(evens, odds))
}

/// 32 bf16 numbers, the lower and the upper 16.
///
/// # Safety
/// There are 32 numbers at `from`.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn load_32(from: *const Bf16) -> [__m512; 2] {
    [from, from.wrapping_add(16)].map(|from| {
        // SAFETY: by this function's contract.
        let half = unsafe { _mm256_loadu_si256(from.cast()) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::math::{exp, sigmoid};

    #[test]
    fn sigmoid_and_rounding_have_the_bits_of_the_plain_ones() {
        if !(Isa::Avx512Bf16.available()) {
            return;
        }
        let mut state = 1u32;
        let special = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-42, 1.0];
        let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        for round in 0..2000 {
            let mut values = [0.0f32; 32];
            for value in &mut values {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = if round % 2 == 0 { f32::from_bits(state) } else { state as f32 / 1e8 - 20.0 };
            }
            values[..special.len()].copy_from_slice(&special);
            let (mut rounded, mut again) = ([Bf16::default(); 32], [Bf16::default(); 32]);
            let (mut back, mut parted, mut sigmoids) = ([0.0f32; 32], [0.0f32; 32], [0.0f32; 16]);
            // SAFETY: the machine has the instructions; the arrays hold what is loaded and stored.
            unsafe {
                let (low, high) = (_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(16)));
                let packed = round_32(low, high);
                _mm512_storeu_si512(rounded.as_mut_ptr().cast(), packed);
                let parts = evens_and_odds(packed);
                _mm512_storeu_si512(again.as_mut_ptr().cast(), round_evens_and_odds(parts));
                for (half, (numbers, part)) in load_32(rounded.as_ptr()).into_iter().zip(parts).enumerate() {
                    _mm512_storeu_ps(back.as_mut_ptr().add(16 * half), numbers);
                    _mm512_storeu_ps(parted.as_mut_ptr().add(16 * half), part);
                }
                _mm512_storeu_ps(sigmoids.as_mut_ptr(), sigmoid_16(low));
            }
            for (&value, rounded) in values.iter().zip(rounded) {
                let wanted = if value.is_subnormal() { value * 0.0 } else { value };
                assert_eq!(rounded, Bf16::from_f32(wanted), "{value}");
            }
            assert_eq!(bits(&back), bits(&rounded.map(Bf16::to_f32)));
            assert_eq!(again, rounded);
            let by_turns: [f32; 32] = std::array::from_fn(|i| rounded[i % 16 * 2 + i / 16].to_f32());
            assert_eq!(bits(&parted), bits(&by_turns));
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
