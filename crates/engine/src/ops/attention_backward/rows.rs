//! What the gradient of attention computes row by row.

use crate::element::Element;
use crate::isa::by_isa;
use crate::ops::math::{LANES, exp, fold};

by_isa! {
    /// From a query's scores, and the gradients of its weights, to the weights and the scores' gradients, both rounded. Slices of
    /// the same length.
    pub(super) fn softmax_backward_row<E: Element>(
        scores: &[f32],
        d_weights: &[f32],
        scale: f32,
        log_sum: f32,
        delta: f32,
        weights: &mut [E],
        d_scores: &mut [E],
    ) {
        let length = scores.len();
        let (d_weights, weights, d_scores) = (&d_weights[..length], &mut weights[..length], &mut d_scores[..length]);
        for i in 0..length {
            let weight = exp::<FMA>(scores[i] * scale - log_sum);
            weights[i] = E::from_f32(weight);
            d_scores[i] = E::from_f32(weight * (d_weights[i] - delta) * scale);
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
