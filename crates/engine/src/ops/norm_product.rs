//! The product that gives the gradient in what an RMSNorm gave, with the norm's own gradient while its rows are at
//! hand.

use crate::gemm::{GemmElement, PanelsView, Rows, gemm_whole_rows};
use crate::memory::prefetch;
use crate::ops::norm::{add_stripes, rms_norm_both_ways_row, stripe_height};
use crate::pool::{Parts, Pool};

/// An RMSNorm and its input, [rows, columns].
#[derive(Clone, Copy)]
pub struct Normed<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub eps: f32,
}

/// What the gradient of a norm writes, [rows, columns] each.
pub struct NormGradient<'a, E> {
    /// Added to.
    pub dx: &'a mut [f32],
    /// That sum, rounded.
    pub rounded: &'a mut [E],
    /// What the norm gave, computed again.
    pub normed: &'a mut [E],
}

/// `rms_norm`, and `rms_norm_backward` of the product `d_out b`, whose columns are those of the norm. `dw` is added to.
pub fn rms_norm_product_backward<E: GemmElement>(
    pool: &Pool,
    d_out: Rows<'_, E>,
    b: PanelsView<'_, E>,
    Normed { x, weight, eps }: Normed<'_>,
    NormGradient { dx, rounded, normed }: NormGradient<'_, E>,
    dw: &mut [f32],
) {
    let (columns, height) = (weight.len(), stripe_height(weight.len()));
    assert!(b.columns == columns && x.len() == d_out.rows * columns, "the product and the norm differ");
    let mut stripes = vec![0.0f32; d_out.rows.div_ceil(height) * columns];
    let sums = Parts::new(&mut stripes);
    let parts = (Parts::new(dx), Parts::new(rounded), Parts::new(normed));
    let ahead = |row: usize| {
        prefetch(&x[row * columns..(row + 1) * columns]);
        // SAFETY: each task has its own rows.
        prefetch(unsafe { parts.0.get(row * columns, columns) });
    };
    gemm_whole_rows(pool, d_out, b, height, &ahead, &|rows, d_normed| {
        for (row, dy) in rows.zip(d_normed.chunks_exact(columns)) {
            let at = row * columns;
            // SAFETY: each task has its own rows, and its own stripes, which begin where it does.
            let (dx, rounded, normed, dw) = unsafe {
                (
                    parts.0.get(at, columns),
                    parts.1.get(at, columns),
                    parts.2.get(at, columns),
                    sums.get(row / height * columns, columns),
                )
            };
            rms_norm_both_ways_row(&x[at..at + columns], weight, eps, dy, dx, dw, normed, rounded);
        }
    });
    add_stripes(&stripes, dw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, Panels, gemm, pack_rows};
    use crate::ops::convert;
    use crate::ops::norm::{rms_norm, rms_norm_backward};

    fn as_one_by_one<E: GemmElement>() {
        let pool = Pool::new(2);
        for (rows, columns, reduction) in [(3, 64, 32), (700, 576, 40), (300, 70, 1100)] {
            let number = |i: usize| (i * 7919 % 1013) as f32 / 1013.0 - 0.5;
            let floats = |count: usize| -> Vec<f32> { (0..count).map(number).collect() };
            let numbers = |count: usize| -> Vec<E> { (0..count).map(|i| E::from_f32(number(i))).collect() };
            let (d_out, weights) = (numbers(rows * reduction), numbers(columns * reduction));
            let mut b = Panels::<E>::zeros(columns, reduction);
            pack_rows(&pool, &weights, reduction, reduction, &mut b);
            let d_out = Rows { data: &d_out, rows, stride: reduction };
            let (x, weight, eps) = (floats(rows * columns), floats(columns), 1e-5);

            let (mut dx, mut dw) = (floats(rows * columns), floats(columns));
            let (mut got_dx, mut got_dw) = (dx.clone(), dw.clone());
            let mut d_normed = vec![0.0; rows * columns];
            let (mut normed, mut rounded) = (numbers(rows * columns), numbers(rows * columns));
            let (mut got_normed, mut got_rounded) = (normed.clone(), rounded.clone());
            gemm(&pool, d_out, b.view(), Output { data: &mut d_normed, stride: columns, offset: 0 }, false);
            rms_norm(&pool, &x, &weight, eps, &mut normed, columns);
            rms_norm_backward(&pool, &x, &weight, eps, &d_normed, &mut dx, Some(&mut dw));
            convert(&pool, &dx, columns, &mut rounded, columns);

            let norm = Normed { x: &x, weight: &weight, eps };
            let gradient = NormGradient { dx: &mut got_dx, rounded: &mut got_rounded, normed: &mut got_normed };
            rms_norm_product_backward(&pool, d_out, b.view(), norm, gradient, &mut got_dw);
            assert_eq!((got_dx, got_dw), (dx, dw));
            assert_eq!((got_normed, got_rounded), (normed, rounded));
        }
    }

    #[test]
    fn products_have_the_bits_of_their_steps_one_by_one() {
        as_one_by_one::<f32>();
        as_one_by_one::<Bf16>();
    }
}
