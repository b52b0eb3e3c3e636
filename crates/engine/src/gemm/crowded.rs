//! Rows of A so far apart that their lines fall on the same few places of the L1 cache, and what to do about them.

use crate::element::Element;
use crate::memory::{LINE, grow};

/// Panels that meet the same rows, so that copying these costs little beside the products.
pub const WORTH_SPREADING: usize = 4;

/// Whether the lines of a column of rows `stride` apart fall on one or two of the 64 places of an L1 cache, so that a
/// tile of them does not stay there.
pub fn are_crowded<E>(stride: usize) -> bool {
    (stride * size_of::<E>()).is_multiple_of(32 * LINE)
}

/// Copies the first `length` elements of rows, each to a cache line further than the one before ends; gives them and
/// their stride.
pub fn spread<'a, E: Element>(
    rows: &[E],
    stride: usize,
    height: usize,
    length: usize,
    out: &'a mut Vec<E>,
) -> (&'a [E], usize) {
    let out_stride = length + LINE / size_of::<E>();
    grow(out, height * out_stride);
    for (row, to) in out.chunks_exact_mut(out_stride).enumerate().take(height) {
        to[..length].copy_from_slice(&rows[row * stride..][..length]);
    }
    (out, out_stride)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{GemmElement, Output, Panels, Rows, gemm, pack_rows};
    use crate::pool::Pool;

    fn has_the_bits_of_rows_nearby<E: GemmElement>() {
        let pool = Pool::new(2);
        let (rows, columns, reduction) = (70, 200, 1100);
        let number = |i: usize| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5);
        let weights: Vec<E> = (0..columns * reduction).map(number).collect();
        let mut panels = Panels::<E>::zeros(columns, reduction);
        pack_rows(&pool, &weights, reduction, reduction, &mut panels);
        let product = |stride: usize| {
            let mut a = vec![E::default(); rows * stride];
            for (row, to) in a.chunks_exact_mut(stride).enumerate() {
                to.iter_mut().take(reduction).enumerate().for_each(|(i, to)| *to = number(row * reduction + i));
            }
            let mut c = vec![0.0f32; rows * columns];
            let a = Rows { data: &a, rows, stride };
            gemm(&pool, a, panels.view(), Output { data: &mut c, stride: columns, offset: 0 }, false);
            c
        };
        assert!(are_crowded::<E>(2048) && !are_crowded::<E>(reduction));
        assert!(product(2048) == product(reduction));
    }

    #[test]
    fn a_product_of_crowded_rows_has_the_bits_of_one_of_rows_nearby() {
        has_the_bits_of_rows_nearby::<f32>();
        has_the_bits_of_rows_nearby::<Bf16>();
    }
}
