//! RMSNorm: `y = x / sqrt(mean(x^2) + eps) * w` (Zhang and Sennrich, 2019).

use super::{STRIPE, for_rows};
use crate::convert::convert_row;
use crate::element::Element;
use crate::isa::{by_isa, fma};
use crate::ops::math::sum_over;
use crate::pool::{Parts, Pool};

by_isa! {
    /// Normalises one row in place and gives back `1 / sqrt(mean(x^2) + eps)`.
    pub fn rms_norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) -> f32 {
        let _ = FMA;
        let length = weight.len();
        let (x, out) = (&x[..length], &mut out[..length]);
        let inverse = 1.0 / (sum_over([x], |[x]| x * x) / length as f32 + eps).sqrt();
        for i in 0..length {
            out[i] = x[i] * inverse * weight[i];
        }
        inverse
    }
}

by_isa! {
    /// Adds the row's gradient to `dx` and its share of the weight's gradient to `dw`.
    pub fn rms_norm_backward_row(x: &[f32], weight: &[f32], eps: f32, dy: &[f32], dx: &mut [f32], dw: &mut [f32]) {
        let length = weight.len();
        let (x, dy, dx, dw) = (&x[..length], &dy[..length], &mut dx[..length], &mut dw[..length]);
        let inverse = 1.0 / (sum_over([x], |[x]| x * x) / length as f32 + eps).sqrt();
        let sum = sum_over([dy, weight, x], |[dy, weight, x]| dy * weight * x);
        let mean = sum * inverse * inverse * inverse / length as f32;
        for i in 0..length {
            dx[i] = fma::<FMA>(dy[i] * weight[i], inverse, dx[i]) - mean * x[i];
            dw[i] = fma::<FMA>(dy[i] * x[i], inverse, dw[i]);
        }
    }
}

/// Normalises rows [rows, columns] and rounds them into rows `stride` apart.
pub fn rms_norm<E: Element>(pool: &Pool, x: &[f32], weight: &[f32], eps: f32, out: &mut [E], stride: usize) {
    let columns = weight.len();
    let rows = x.len() / columns;
    let parts = Parts::new(out);
    for_rows(pool, rows, columns, columns, &|row, normed| {
        rms_norm_row(&x[row * columns..(row + 1) * columns], weight, eps, normed);
        // SAFETY: each task has its own rows.
        convert_row(normed, unsafe { parts.get(row * stride, stride) });
    });
}

/// Rows over which the gradient of a weight is summed before their sum is added to the total.
pub fn stripe_height(columns: usize) -> usize {
    (STRIPE / columns).max(1)
}

/// Adds the sums of all stripes, [stripes, columns], to the gradient of the weight.
pub fn add_stripes(stripes: &[f32], dw: &mut [f32]) {
    for stripe in stripes.chunks_exact(dw.len()) {
        dw.iter_mut().zip(stripe).for_each(|(total, value)| *total += value);
    }
}

/// Adds the gradient of `rms_norm` in x to `dx` and in the weight to `dw`. The sum over rows runs in stripes of a fixed
/// height, so it does not depend on the number of threads.
pub fn rms_norm_backward(
    pool: &Pool,
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    dw: Option<&mut [f32]>,
) {
    let columns = weight.len();
    let rows = x.len() / columns;
    let height = stripe_height(columns);
    let stripes = rows.div_ceil(height);
    let mut partial = vec![0.0f32; stripes * columns];
    let (dx_parts, partials) = (Parts::new(dx), Parts::new(&mut partial));
    pool.run(stripes, &|stripe| {
        // SAFETY: each stripe has its own rows and its own sum.
        let sum = unsafe { partials.get(stripe * columns, columns) };
        for row in stripe * height..((stripe + 1) * height).min(rows) {
            let range = row * columns..(row + 1) * columns;
            // SAFETY: as above.
            let dx = unsafe { dx_parts.get(row * columns, columns) };
            rms_norm_backward_row(&x[range.clone()], weight, eps, &dy[range], dx, sum);
        }
    });
    if let Some(dw) = dw {
        add_stripes(&partial, dw);
    }
}
