//! An RMSNorm computed again together with its gradient: one pass over the rows where the two apart, and a rounding of
//! their sum, would be three.

use crate::element::Element;
use crate::isa::{by_isa, fma};
use crate::ops::math::sum_over;
use crate::ops::norm::{add_stripes, stripe_height};
use crate::pool::{Parts, Pool};

/// An RMSNorm and its input, [rows, columns].
#[derive(Clone, Copy)]
pub struct Normed<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub eps: f32,
}

/// What the gradient of a norm writes.
pub struct NormGradient<'a, E> {
    /// Added to, [rows, columns].
    pub dx: &'a mut [f32],
    /// That sum, rounded, [rows, stride].
    pub rounded: &'a mut [E],
    /// What the norm gave, computed again, [rows, stride].
    pub normed: &'a mut [E],
    pub stride: usize,
}

by_isa! {
    /// As `rms_norm_row`, rounded into `normed`, and `rms_norm_backward_row`, whose `dx` is then rounded into
    /// `rounded`. Rows of the weight's length.
    fn both_ways_row<E: Element>(
        x: &[f32],
        weight: &[f32],
        eps: f32,
        dy: &[f32],
        dx: &mut [f32],
        dw: &mut [f32],
        normed: &mut [E],
        rounded: &mut [E],
    ) {
        let length = weight.len();
        let (x, dy, dx, dw) = (&x[..length], &dy[..length], &mut dx[..length], &mut dw[..length]);
        let (normed, rounded) = (&mut normed[..length], &mut rounded[..length]);
        let inverse = 1.0 / (sum_over([x], |[x]| x * x) / length as f32 + eps).sqrt();
        let sum = sum_over([dy, weight, x], |[dy, weight, x]| dy * weight * x);
        let mean = sum * inverse * inverse * inverse / length as f32;
        for i in 0..length {
            let d = fma::<FMA>(dy[i] * weight[i], inverse, dx[i]) - mean * x[i];
            dx[i] = d;
            rounded[i] = E::from_f32(d);
        }
        for i in 0..length {
            dw[i] = fma::<FMA>(dy[i] * x[i], inverse, dw[i]);
            normed[i] = E::from_f32(x[i] * inverse * weight[i]);
        }
    }
}

/// `rms_norm`, `rms_norm_backward` of `dy` [rows, columns], and the rounding of its sum. `dw` is added to.
pub fn rms_norm_both_ways<E: Element>(
    pool: &Pool,
    Normed { x, weight, eps }: Normed<'_>,
    dy: &[f32],
    NormGradient { dx, rounded, normed, stride }: NormGradient<'_, E>,
    dw: &mut [f32],
) {
    let (columns, height) = (weight.len(), stripe_height(weight.len()));
    let rows = x.len() / columns;
    let mut stripes = vec![0.0f32; rows.div_ceil(height) * columns];
    let parts = (Parts::new(dx), Parts::new(rounded), Parts::new(normed), Parts::new(&mut stripes));
    pool.run(rows.div_ceil(height), &|stripe| {
        // SAFETY: each stripe has its own rows and its own sum.
        let sum = unsafe { parts.3.get(stripe * columns, columns) };
        for row in stripe * height..((stripe + 1) * height).min(rows) {
            let range = row * columns..(row + 1) * columns;
            // SAFETY: as above.
            let (dx, rounded, normed) = unsafe {
                (
                    parts.0.get(row * columns, columns),
                    parts.1.get(row * stride, stride),
                    parts.2.get(row * stride, stride),
                )
            };
            both_ways_row(&x[range.clone()], weight, eps, &dy[range], dx, sum, normed, rounded);
            normed[columns..].fill(E::default());
            rounded[columns..].fill(E::default());
        }
    });
    add_stripes(&stripes, dw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::ops::convert;
    use crate::ops::norm::{rms_norm, rms_norm_backward};

    fn as_one_by_one<E: Element>() {
        let pool = Pool::new(2);
        for (rows, columns, stride) in [(3, 64, 64), (700, 576, 576), (300, 71, 72)] {
            let number = |i: usize| (i * 7919 % 1013) as f32 / 1013.0 - 0.5;
            let floats = |count: usize| -> Vec<f32> { (0..count).map(number).collect() };
            let (x, dy) = (floats(rows * columns), floats(rows * columns + 5).split_off(5));
            let (weight, eps) = (floats(columns), 1e-5);
            let (mut dx, mut dw) = (floats(rows * columns), floats(columns));
            let (mut got_dx, mut got_dw) = (dx.clone(), dw.clone());
            let mut matrices: [Vec<E>; 4] = std::array::from_fn(|_| vec![E::from_f32(7.0); rows * stride]);
            let [normed, rounded, got_normed, got_rounded] = &mut matrices;
            rms_norm(&pool, &x, &weight, eps, normed, stride);
            rms_norm_backward(&pool, &x, &weight, eps, &dy, &mut dx, Some(&mut dw));
            convert(&pool, &dx, columns, rounded, stride);

            let norm = Normed { x: &x, weight: &weight, eps };
            let gradient = NormGradient { dx: &mut got_dx, rounded: got_rounded, normed: got_normed, stride };
            rms_norm_both_ways(&pool, norm, &dy, gradient, &mut got_dw);
            assert_eq!((got_dx, got_dw), (dx, dw));
            assert_eq!((got_normed, got_rounded), (normed, rounded));
        }
    }

    #[test]
    fn one_pass_has_the_bits_of_three() {
        as_one_by_one::<f32>();
        as_one_by_one::<Bf16>();
    }
}
