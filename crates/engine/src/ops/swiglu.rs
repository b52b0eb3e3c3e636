//! SwiGLU: `silu(gate) * up` (Shazeer, 2020). A row holds the gates, then the ups.

use std::ops::Range;

use super::for_rows;
use crate::convert::{convert_row, widen_row};
use crate::element::Element;
use crate::gemm::{GemmElement, PANEL, PanelsView, Rows, TileWork, Visits, gemm_visits};
use crate::isa::by_isa;
use crate::ops::math::sigmoid;
use crate::ops::swiglu_tile::{BackwardTile, Columns, ForwardTile};
use crate::pool::{Parts, Pool};

by_isa! {
    pub fn forward_row(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid::<FMA>(*gate) * up;
        }
    }
}

by_isa! {
    /// The gradients in gates and ups from that in their activations `d`, and the activations.
    pub fn backward_row(gate: &[f32], up: &[f32], d: &[f32], d_gate: &mut [f32], d_up: &mut [f32], out: &mut [f32]) {
        let length = gate.len();
        let (up, d, out) = (&up[..length], &d[..length], &mut out[..length]);
        let (d_gate, d_up) = (&mut d_gate[..length], &mut d_up[..length]);
        for i in 0..length {
            let s = sigmoid::<FMA>(gate[i]);
            out[i] = gate[i] * s * up[i];
            d_up[i] = d[i] * gate[i] * s;
            d_gate[i] = d[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
        }
    }
}

/// From gates and ups [rows, 2 * width], already rounded to E, to activations in rows `stride` apart.
pub fn swiglu<E: Element>(pool: &Pool, gate_up: &[E], width: usize, out: &mut [E], stride: usize) {
    let rows = gate_up.len() / (2 * width);
    let parts = Parts::new(out);
    for_rows(pool, rows, width, 3 * width, &|row, scratch| {
        let (inputs, activation) = scratch.split_at_mut(2 * width);
        widen_row(&gate_up[row * 2 * width..(row + 1) * 2 * width], inputs);
        forward_row(&inputs[..width], &inputs[width..], activation);
        // SAFETY: each task has its own rows.
        convert_row(activation, unsafe { parts.get(row * stride, stride) });
    });
}

/// The product that gives gates and ups, with `swiglu` of its tiles while they are at hand. `b`: the columns of the gates, then those of the
/// ups, `width` each, a multiple of 32. Gates and ups are written, rounded, where `kept` is given, [rows, 2 * width]; their activations into
/// rows `stride` apart.
pub fn swiglu_product<E: GemmElement>(
    pool: &Pool,
    input: Rows<'_, E>,
    b: PanelsView<'_, E>,
    width: usize,
    kept: Option<&mut [E]>,
    out: &mut [E],
    stride: usize,
) {
    let (kept, matrix) = (kept.map(Parts::new), Parts::new(out));
    let panels = width / PANEL;
    let visits = Visits { count: panels, width: 2, step: 1, apart: panels };
    gemm_visits(pool, input, b, visits, &Activations { width, kept, matrix, stride });
}

/// What `swiglu_product` does with its tiles.
struct Activations<E> {
    width: usize,
    kept: Option<Parts<E>>,
    matrix: Parts<E>,
    stride: usize,
}

impl<E: Element> TileWork for Activations<E> {
    type Steps<'a> = ForwardTile<E>;

    unsafe fn begin(&self, rows: Range<usize>, panel: usize, sums: *mut [f32]) -> ForwardTile<E> {
        let Self { width, kept, matrix, stride } = *self;
        let kept = kept.map(|kept| gates_and_ups(kept, width, rows.start, panel));
        let out = Columns { matrix, first: rows.start * stride + panel * PANEL, stride };
        // SAFETY: by this function's contract; tiles do not overlap.
        unsafe { ForwardTile::new(sums, kept, out) }
    }
}

/// The columns of a panel of gates and of their ups, from a row on.
fn gates_and_ups<E: Element>(matrix: Parts<E>, width: usize, row: usize, panel: usize) -> [Columns<E>; 2] {
    [0, width].map(|half| Columns { matrix, first: row * 2 * width + half + panel * PANEL, stride: 2 * width })
}

/// The product that gives the gradient in the activations, with `swiglu_backward` of its tiles while they are at hand. `b`: `width` columns, a
/// multiple of 32. Writes that in gates and ups in their place, rounded, [rows, 2 * width], and the activations anew into rows `stride` apart.
pub fn swiglu_backward_product<E: GemmElement>(
    pool: &Pool,
    d_out: Rows<'_, E>,
    b: PanelsView<'_, E>,
    gate_up: &mut [E],
    width: usize,
    activation: &mut [E],
    stride: usize,
) {
    let (gate_up, matrix) = (Parts::new(gate_up), Parts::new(activation));
    let visits = Visits { count: width / PANEL, width: 1, step: 1, apart: 1 };
    gemm_visits(pool, d_out, b, visits, &ActivationGradients { width, gate_up, matrix, stride });
}

/// What `swiglu_backward_product` does with its tiles.
struct ActivationGradients<E> {
    width: usize,
    gate_up: Parts<E>,
    matrix: Parts<E>,
    stride: usize,
}

impl<E: Element> TileWork for ActivationGradients<E> {
    type Steps<'a> = BackwardTile<E>;

    unsafe fn begin(&self, rows: Range<usize>, panel: usize, d: *mut [f32]) -> BackwardTile<E> {
        let Self { width, gate_up, matrix, stride } = *self;
        // Rows are far apart, and those of the next visit come while its product is computed.
        gates_and_ups(gate_up, width, rows.start, panel + 1).iter().for_each(|next| next.prefetch(rows.len()));
        let gate_up = gates_and_ups(gate_up, width, rows.start, panel);
        let out = Columns { matrix, first: rows.start * stride + panel * PANEL, stride };
        // SAFETY: by this function's contract; tiles do not overlap.
        unsafe { BackwardTile::new(d, gate_up, out) }
    }
}

/// The gradient in gates and ups, rounded, [rows, 2 * width], from that of the activations, [rows, width].
pub fn swiglu_backward<E: Element>(pool: &Pool, gate_up: &[E], width: usize, d: &[f32], d_gate_up: &mut [E]) {
    let rows = gate_up.len() / (2 * width);
    let parts = Parts::new(d_gate_up);
    for_rows(pool, rows, width, 5 * width, &|row, scratch| {
        let (inputs, rest) = scratch.split_at_mut(2 * width);
        let (gradients, activation) = rest.split_at_mut(2 * width);
        widen_row(&gate_up[row * 2 * width..(row + 1) * 2 * width], inputs);
        let (d_gate, d_up) = gradients.split_at_mut(width);
        let d = &d[row * width..(row + 1) * width];
        backward_row(&inputs[..width], &inputs[width..], d, d_gate, d_up, activation);
        // SAFETY: each task has its own rows.
        convert_row(gradients, unsafe { parts.get(row * 2 * width, 2 * width) });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, Panels, gemm, pack_rows};
    use crate::ops::convert;

    fn as_one_by_one<E: GemmElement>() {
        let pool = Pool::new(2);
        let (rows, width, hidden) = (75, 3 * PANEL, 48);
        let number = |i: usize| (i * 7919 % 1013) as f32 / 1013.0 - 0.5;
        let numbers = |count: usize| -> Vec<E> { (0..count).map(|i| E::from_f32(number(i))).collect() };
        let (input, weights) = (numbers(rows * hidden), numbers(2 * width * hidden));
        let mut b = Panels::<E>::zeros(2 * width, hidden);
        pack_rows(&pool, &weights, hidden, hidden, &mut b);
        let input = Rows { data: &input, rows, stride: hidden };
        let mut sums = vec![0.0; rows * 2 * width];
        gemm(&pool, input, b.view(), Output { data: &mut sums, stride: 2 * width, offset: 0 }, false);
        let (mut gate_up, mut activation) = (numbers(rows * 2 * width), numbers(rows * width));
        convert(&pool, &sums, 2 * width, &mut gate_up, 2 * width);
        swiglu(&pool, &gate_up, width, &mut activation, width);

        let (mut kept, mut out) = (numbers(rows * 2 * width), numbers(rows * width));
        swiglu_product(&pool, input, b.view(), width, None, &mut out, width);
        assert_eq!(out, activation);
        swiglu_product(&pool, input, b.view(), width, Some(&mut kept), &mut out, width);
        assert_eq!((&out, &kept), (&activation, &gate_up));

        let mut d = vec![0.0; rows * width];
        let down = b.slice(0, width / PANEL);
        gemm(&pool, input, down, Output { data: &mut d, stride: width, offset: 0 }, false);
        let mut d_gate_up = numbers(rows * 2 * width);
        swiglu_backward(&pool, &gate_up, width, &d, &mut d_gate_up);
        out.fill(E::default());
        swiglu_backward_product(&pool, input, down, &mut kept, width, &mut out, width);
        assert_eq!((&out, &kept), (&activation, &d_gate_up));
    }

    #[test]
    fn products_have_the_bits_of_their_steps_one_by_one() {
        as_one_by_one::<f32>();
        as_one_by_one::<Bf16>();
    }
}
