//! What the gradient of attention computes row by row.

use crate::element::Element;
use crate::gemm::PANEL;
use crate::isa::by_isa;
use crate::ops::math::{LANES, exp, fold};
#[cfg(target_arch = "x86_64")]
use crate::ops::vectors::rounds;

/// What a query's scores and their gradients depend on besides them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    pub scale: f32,
    /// Logarithm of the softmax's denominator.
    pub log_sum: f32,
    /// Dot product of the output and its gradient.
    pub delta: f32,
}

impl Query {
    /// From scores, and the gradients of their weights, to the weights and the scores' gradients, both rounded. Slices of the same length,
    /// a multiple of 32.
    pub fn backward<E: Element>(self, scores: &[f32], d_weights: &[f32], weights: &mut [E], d_scores: &mut [E]) {
        let length = scores.len();
        assert!(length.is_multiple_of(PANEL));
        assert!(d_weights.len() == length && weights.len() == length && d_scores.len() == length);
        #[cfg(target_arch = "x86_64")]
        if rounds::<E>() {
            let rounded = [weights.as_mut_ptr(), d_scores.as_mut_ptr()];
            // SAFETY: E is bf16, which the machine rounds to; the slices are as long, and whole panels.
            unsafe { registers::backward(self, scores, d_weights, rounded.map(<*mut E>::cast)) };
            return;
        }
        plain(self, scores, d_weights, weights, d_scores);
    }
}

by_isa! {
    fn plain<E: Element>(
        query: Query,
        scores: &[f32],
        d_weights: &[f32],
        weights: &mut [E],
        d_scores: &mut [E],
    ) {
        let (length, Query { scale, log_sum, delta }) = (scores.len(), query);
        let (d_weights, weights, d_scores) = (&d_weights[..length], &mut weights[..length], &mut d_scores[..length]);
        for i in 0..length {
            let weight = exp::<FMA>(scores[i] * scale - log_sum);
            weights[i] = E::from_f32(weight);
            d_scores[i] = E::from_f32(weight * (d_weights[i] - delta) * scale);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::{PANEL, Query};
    use crate::element::Bf16;
    use crate::ops::vectors::{exp_16, round_32};

    /// `plain`, of whole 32 numbers.
    ///
    /// # Safety
    /// The machine rounds to bf16; the slices are as long, and there is room for as many numbers at `rounded`: the weights and the scores'
    /// gradients.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn backward(query: Query, scores: &[f32], d_weights: &[f32], rounded: [*mut Bf16; 2]) {
        let [scale, log_sum, delta] = [query.scale, query.log_sum, query.delta].map(|x| _mm512_set1_ps(x));
        for at in (0..scores.len()).step_by(PANEL) {
            let parts = [at, at + PANEL / 2].map(|at| {
                // SAFETY: by this function's contract.
                let (score, d) =
                    unsafe { (_mm512_loadu_ps(scores.as_ptr().add(at)), _mm512_loadu_ps(d_weights.as_ptr().add(at))) };
                let weight = exp_16(_mm512_sub_ps(_mm512_mul_ps(score, scale), log_sum));
                [weight, _mm512_mul_ps(_mm512_mul_ps(weight, _mm512_sub_ps(d, delta)), scale)]
            });
            for (index, to) in rounded.into_iter().enumerate() {
                // SAFETY: by this function's contract.
                unsafe { _mm512_storeu_si512(to.add(at).cast(), round_32(parts[0][index], parts[1][index])) };
            }
        }
    }
}

by_isa! {
    /// Rounds the gradient of an output; gives its dot product with the output, in the order of `sum_over`. Slices of the same length.
    pub(super) fn round_output_gradient<E: Element>(d_out: &[f32], out: &[E], rounded: &mut [E]) -> f32 {
        let _ = FMA;
        let length = d_out.len();
        let (d_out, d_rest) = d_out.as_chunks::<LANES>();
        let (out, out_rest) = out[..length].as_chunks::<LANES>();
        let (rounded, rounded_rest) = rounded[..length].as_chunks_mut::<LANES>();
        let mut lanes = [0.0f32; LANES];
        for ((d, out), rounded) in d_out.iter().zip(out).zip(rounded) {
            for lane in 0..LANES {
                rounded[lane] = E::from_f32(d[lane]);
            }
            for lane in 0..LANES {
                lanes[lane] += d[lane] * out[lane].to_f32();
            }
        }
        for (lane, d) in d_rest.iter().enumerate() {
            rounded_rest[lane] = E::from_f32(*d);
            lanes[lane] += d * out_rest[lane].to_f32();
        }
        fold(lanes, |a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;

    fn as_plain<E: Element>() {
        let query = Query { scale: 0.125, log_sum: 3.5, delta: -0.2 };
        for length in [32, 96, 192] {
            let numbers = |shift: usize| -> Vec<f32> {
                (0..length).map(|i| ((i * 7919 + shift) % 1013) as f32 / 40.0 - 12.0).collect()
            };
            let (scores, d_weights) = (numbers(1), numbers(500));
            let mut got = [vec![E::default(); length], vec![E::default(); length]];
            let mut want = got.clone();
            let [weights, d_scores] = &mut got;
            query.backward(&scores, &d_weights, weights, d_scores);
            let [weights, d_scores] = &mut want;
            plain(query, &scores, &d_weights, weights, d_scores);
            assert_eq!(got, want, "{length}");
        }
    }

    #[test]
    fn every_path_gives_the_bits_of_the_plain_loop() {
        as_plain::<f32>();
        as_plain::<Bf16>();
    }
}
