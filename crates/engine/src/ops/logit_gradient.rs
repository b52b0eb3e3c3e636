//! The gradient in logits, rounded for the products that take it.

use crate::convert::convert_row;
use crate::element::Element;
use crate::isa::by_isa;
use crate::ops::math::exp;
#[cfg(target_arch = "x86_64")]
use crate::ops::vectors::rounds;

/// What the gradient in a row's logits depends on besides them.
#[derive(Debug, Clone, Copy)]
pub struct RowGradient {
    pub inverse_temperature: f32,
    /// Logarithm of the softmax's denominator.
    pub log_sum: f32,
    /// Gradients of the row's log-probabilities, summed.
    pub d_logprobs: f32,
    pub entropy: f32,
    /// Gradient of the entropy.
    pub d_entropy: f32,
}

impl RowGradient {
    /// Writes the gradient in logits, rounded, but for the targets' own terms; what `out` has beyond them becomes zero. The
    /// logits are of no use afterwards.
    pub fn run<E: Element>(&self, logits: &mut [f32], out: &mut [E]) {
        let (rounded, padding) = out.split_at_mut(logits.len());
        padding.fill(E::default());
        #[cfg(target_arch = "x86_64")]
        if rounds::<E>() {
            // SAFETY: E is bf16, which the machine rounds to, and the slices are as long.
            return unsafe { registers::run(self, logits, rounded.as_mut_ptr().cast()) };
        }
        plain(self, logits);
        convert_row(logits, rounded);
    }

    /// The gradient in the logit of a target, of whose log-probability the gradient is `d`.
    pub fn of_target(&self, logit: f32, d: f32) -> f32 {
        let mut logit = [logit];
        plain(self, &mut logit);
        logit[0] + self.inverse_temperature * d
    }
}

by_isa! {
    /// `-t * (g p + e p (log p + H))` with t the inverse temperature.
    fn plain(row: &RowGradient, logits: &mut [f32]) {
        let RowGradient { inverse_temperature: t, log_sum, d_logprobs: g, entropy, d_entropy: e } = *row;
        for logit in logits.iter_mut() {
            let log_p = *logit * t - log_sum;
            *logit = -t * exp::<FMA>(log_p) * (g + e * (log_p + entropy));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::{RowGradient, plain};
    use crate::convert::convert_row;
    use crate::element::Bf16;
    use crate::gemm::PANEL;
    use crate::ops::vectors::{exp_16, round_32};

    /// The gradients of `plain`, rounded.
    ///
    /// # Safety
    /// The machine rounds to bf16, and `out` has room for as many numbers as there are logits.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn run(row: &RowGradient, logits: &mut [f32], out: *mut Bf16) {
        let [t, log_sum, g, entropy, e] =
            [row.inverse_temperature, row.log_sum, row.d_logprobs, row.entropy, row.d_entropy]
                .map(|x| _mm512_set1_ps(x));
        let minus_t = _mm512_set1_ps(-row.inverse_temperature);
        let (chunks, rest) = logits.as_chunks_mut::<PANEL>();
        let done = chunks.len() * PANEL;
        for (index, chunk) in chunks.iter().enumerate() {
            let [low, high] = [0, PANEL / 2].map(|at| {
                // SAFETY: a chunk holds 32 numbers.
                let logits = unsafe { _mm512_loadu_ps(chunk.as_ptr().add(at)) };
                let log_p = _mm512_sub_ps(_mm512_mul_ps(logits, t), log_sum);
                let slope = _mm512_add_ps(g, _mm512_mul_ps(e, _mm512_add_ps(log_p, entropy)));
                _mm512_mul_ps(_mm512_mul_ps(minus_t, exp_16(log_p)), slope)
            });
            // SAFETY: by this function's contract.
            unsafe { _mm512_storeu_si512(out.add(index * PANEL).cast(), round_32(low, high)) };
        }
        plain(row, rest);
        // SAFETY: by this function's contract.
        convert_row(rest, unsafe { std::slice::from_raw_parts_mut(out.add(done), rest.len()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;

    #[test]
    fn every_path_gives_the_bits_of_the_plain_loop() {
        for (length, d_entropy) in [(1, 0.0), (31, 0.2), (32, 0.0), (100, -0.3), (512, 0.7)] {
            let row =
                RowGradient { inverse_temperature: 0.8, log_sum: 6.5, d_logprobs: 0.37, entropy: 2.25, d_entropy };
            let logits: Vec<f32> = (0..length).map(|i| (i * 7919 % 1013) as f32 / 40.0 - 18.0).collect();
            let mut gradients = logits.clone();
            plain(&row, &mut gradients);
            let mut rounded = vec![Bf16(9); length + 3];
            row.run(&mut logits.clone(), &mut rounded);
            let expected = gradients.iter().map(|&gradient| Bf16::from_f32(gradient));
            assert!(rounded.iter().copied().eq(expected.chain([Bf16(0); 3])), "{length}");
            let mut exact = vec![9.0f32; length];
            row.run(&mut logits.clone(), &mut exact);
            assert_eq!(exact, gradients, "{length}");
            for (logit, gradient) in logits.iter().zip(gradients) {
                assert_eq!(row.of_target(*logit, 0.5), gradient + 0.8 * 0.5);
            }
        }
    }
}
