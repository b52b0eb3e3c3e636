//! What a softmax needs of a few logits: their maximum and two sums.

use crate::isa::by_isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::{Isa, isa};
use crate::ops::math::{exp, max_of, sums_of};

/// Maximum, sum of exp(x - max), sum of exp(x - max) * (x - max).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChunkSums {
    pub max: f32,
    pub sum: f32,
    pub weighted: f32,
}

/// Of logits times the inverse temperature `t`.
pub fn chunk_sums(logits: &[f32], t: f32) -> ChunkSums {
    #[cfg(target_arch = "x86_64")]
    if matches!(isa(), Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512) {
        // SAFETY: the path is chosen only on a machine with these features.
        return unsafe { avx512::chunk_sums(logits, t) };
    }
    plain(logits, t)
}

by_isa! {
    fn plain(logits: &[f32], t: f32) -> ChunkSums {
        naive::<FMA>(logits, t)
    }
}

#[inline(always)]
fn naive<const FMA: bool>(logits: &[f32], t: f32) -> ChunkSums {
    let max = max_of(logits.len(), |i| logits[i] * t);
    let (sum, weighted) = sums_of(logits.len(), |i| {
        let shifted = logits[i] * t - max;
        let weight = exp::<FMA>(shifted);
        (weight, weight * shifted)
    });
    ChunkSums { max, sum, weighted }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::ChunkSums;
    use crate::ops::math::{LANES, exp, fold};
    use crate::ops::vectors::exp_16;
    use std::arch::x86_64::*;

    /// The sums of `naive`, in registers, which the compiler leaves in memory: a fourth of the time.
    ///
    /// # Safety
    /// The machine has AVX-512.
    #[target_feature(enable = "avx512f,avx512dq")]
    pub unsafe fn chunk_sums(logits: &[f32], t: f32) -> ChunkSums {
        let (vectors, rest) = logits.as_chunks::<LANES>();
        // SAFETY: a chunk holds 16 numbers.
        let load = |chunk: &[f32; LANES]| _mm512_mul_ps(unsafe { _mm512_loadu_ps(chunk.as_ptr()) }, _mm512_set1_ps(t));
        let mut most = [_mm512_set1_ps(f32::NEG_INFINITY); 4];
        let (fours, others) = vectors.as_chunks::<4>();
        for chunks in fours {
            for (most, chunk) in most.iter_mut().zip(chunks) {
                *most = _mm512_max_ps(load(chunk), *most);
            }
        }
        most[0] = others.iter().fold(most[0], |most, chunk| _mm512_max_ps(load(chunk), most));
        let most = _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3]));
        let max = rest.iter().fold(_mm512_reduce_max_ps(most), |max, &logit| max.max(logit * t));
        let (mut sums, mut weighted) = (_mm512_setzero_ps(), _mm512_setzero_ps());
        for chunk in vectors {
            let shifted = _mm512_sub_ps(load(chunk), _mm512_set1_ps(max));
            let weights = exp_16(shifted);
            sums = _mm512_add_ps(sums, weights);
            weighted = _mm512_add_ps(weighted, _mm512_mul_ps(weights, shifted));
        }
        let (mut lanes, mut weighted_lanes) = ([0.0f32; LANES], [0.0f32; LANES]);
        // SAFETY: both hold 16 numbers.
        unsafe {
            _mm512_storeu_ps(lanes.as_mut_ptr(), sums);
            _mm512_storeu_ps(weighted_lanes.as_mut_ptr(), weighted);
        }
        for (lane, &logit) in rest.iter().enumerate() {
            let shifted = logit * t - max;
            let weight = exp::<true>(shifted);
            lanes[lane] += weight;
            weighted_lanes[lane] += weight * shifted;
        }
        ChunkSums { max, sum: fold(lanes, |a, b| a + b), weighted: fold(weighted_lanes, |a, b| a + b) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(target_arch = "x86_64"))]
    use crate::isa::{Isa, isa};

    #[test]
    fn every_path_gives_the_bits_of_the_plain_loops() {
        let fused = !matches!(isa(), Isa::Portable);
        let check = |logits: &[f32], t: f32| {
            let expected = if fused { naive::<true>(logits, t) } else { naive::<false>(logits, t) };
            let bits =
                |sums: ChunkSums| [sums.max, sums.sum, sums.weighted].map(|x| if x.is_nan() { 1 } else { x.to_bits() });
            assert_eq!(bits(chunk_sums(logits, t)), bits(expected), "{} at {t}", logits.len());
            assert_eq!(bits(plain(logits, t)), bits(expected), "{} at {t}", logits.len());
        };
        for length in [1, 15, 16, 17, 100, 333, 512] {
            let logits: Vec<f32> = (0..length).map(|i| (i * 7919 % 1013) as f32 / 17.0 - 30.0).collect();
            [1.0, 0.7, 3.0].into_iter().for_each(|t| check(&logits, t));
            check(&vec![0.5; length], 1.0);
            for special in [f32::NAN, f32::NEG_INFINITY, f32::INFINITY] {
                let mut logits = logits.clone();
                logits[length / 2] = special;
                check(&logits, 1.0);
            }
        }
    }
}
