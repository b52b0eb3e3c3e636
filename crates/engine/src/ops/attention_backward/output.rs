//! The gradient of attention's output, as the gradient of attention takes it.

use std::ops::Range;

use super::rows::round_output_gradient;
use crate::element::Element;
use crate::gemm::{GemmElement, PanelsView, Rows, Visits, gemm_visits};
use crate::memory::prefetch_line;
use crate::ops::for_rows;
use crate::ops::pages::{Heads, MAX_HEAD, head_of_tile};
use crate::pool::{Parts, Pool};

/// Rounded, [rows, heads * head_dim], and its dot products with the output from before it was rounded, [rows, heads].
#[derive(Clone, Copy)]
pub struct OutputGradient<'a, E> {
    pub rounded: &'a [E],
    pub deltas: &'a [f32],
}

/// Makes one, `rounded` and `deltas`, of a gradient in f32 and the output, [rows, heads * head_dim].
pub fn round_output_gradients<E: Element>(
    pool: &Pool,
    heads: Heads,
    d_out: &[f32],
    out: &[E],
    rounded: &mut [E],
    deltas: &mut [f32],
) {
    let Heads { heads, dim, .. } = heads;
    let parts = (Parts::new(rounded), Parts::new(deltas));
    for_rows(pool, deltas.len() / heads, heads * dim, 0, &|row, _| {
        // SAFETY: each task has its own rows.
        let (rounded, deltas) =
            unsafe { (parts.0.get(row * heads * dim, heads * dim), parts.1.get(row * heads, heads)) };
        for (head, (to, delta)) in rounded.chunks_exact_mut(dim).zip(deltas).enumerate() {
            let at = (row * heads + head) * dim;
            *delta = round_output_gradient(&d_out[at..at + dim], &out[at..at + dim], to);
        }
    });
}

/// The product that gives the gradient, with `round_output_gradients` of its tiles while they are at hand. `b`: the
/// columns of the heads, which are whole panels.
pub fn output_gradient_product<E: GemmElement>(
    pool: &Pool,
    d: Rows<'_, E>,
    b: PanelsView<'_, E>,
    heads: Heads,
    out: &[E],
    rounded: &mut [E],
    deltas: &mut [f32],
) {
    let panels = heads.panels().expect("heads of whole panels");
    let Heads { heads, dim, .. } = heads;
    let parts = (Parts::new(rounded), Parts::new(deltas));
    let visits = Visits { count: heads, width: panels, step: panels, apart: 1 };
    gemm_visits(pool, d, b, visits, &|rows: Range<usize>, head: usize, sums: &mut [f32]| {
        // Rows are far apart, and those of the next visit come while its product is computed.
        for place in rows.clone().map(|row| row * heads + head + 1) {
            (0..panels).for_each(|panel| prefetch_line(out.as_ptr().wrapping_add(place * dim + panel * dim / panels)));
        }
        let mut gradient = [0.0f32; MAX_HEAD];
        for (index, row) in rows.clone().enumerate() {
            head_of_tile(sums, rows.len(), index, &mut gradient[..dim]);
            let place = row * heads + head;
            // SAFETY: tiles do not overlap.
            let (to, delta) = unsafe { (parts.0.get(place * dim, dim), parts.1.get(place, 1)) };
            delta[0] = round_output_gradient(&gradient[..dim], &out[place * dim..(place + 1) * dim], to);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, PANEL, Panels, gemm, pack_rows};

    fn as_one_by_one<E: GemmElement>() {
        let pool = Pool::new(2);
        for dim in [PANEL, 2 * PANEL] {
            let (rows, hidden, heads) = (75, 48, Heads { heads: 3, kv_heads: 1, dim });
            let width = 3 * dim;
            let number = |i: usize| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5);
            let numbers = |count: usize| -> Vec<E> { (0..count).map(number).collect() };
            let (d, weights, out) = (numbers(rows * hidden), numbers(width * hidden), numbers(rows * width));
            let mut b = Panels::<E>::zeros(width, hidden);
            pack_rows(&pool, &weights, hidden, hidden, &mut b);
            let d = Rows { data: &d, rows, stride: hidden };
            let mut d_out = vec![0.0; rows * width];
            gemm(&pool, d, b.view(), Output { data: &mut d_out, stride: width, offset: 0 }, false);
            let (mut rounded, mut deltas) = (numbers(rows * width), vec![0.0; rows * 3]);
            let (mut expected, mut expected_deltas) = (rounded.clone(), deltas.clone());
            round_output_gradients(&pool, heads, &d_out, &out, &mut expected, &mut expected_deltas);
            output_gradient_product(&pool, d, b.view(), heads, &out, &mut rounded, &mut deltas);
            assert_eq!((rounded, deltas), (expected, expected_deltas));
        }
    }

    #[test]
    fn products_have_the_bits_of_their_steps_one_by_one() {
        as_one_by_one::<f32>();
        as_one_by_one::<Bf16>();
    }
}
