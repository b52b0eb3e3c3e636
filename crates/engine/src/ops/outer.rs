//! Gradients of weights: sums over rows of what came in times what came back.

use crate::buffers::{Buffers, panels};
use crate::gemm::{GemmElement, Output, PanelsView, Rows, gemm_across, gemm_packed, pack_columns};
use crate::pool::Pool;

/// `out += left^T right` over rows: left [rows, outputs], right [rows, inputs], out [outputs, inputs]. Of left and right: elements from one row
/// to the next, and columns.
pub fn outer_product<E: GemmElement>(
    pool: &Pool,
    left: &[E],
    left_columns: (usize, usize),
    right: &[E],
    (stride, inputs): (usize, usize),
    rows: usize,
    out: &mut [f32],
    free: &mut Buffers<E>,
) {
    let mut down = panels(free, inputs, rows);
    pack_columns(pool, right, stride, rows, &mut down);
    outer_product_packed(pool, left, left_columns, down.view(), rows, out, free);
    free.elements.give(down.data.into());
}

/// As `outer_product`, with the columns of right packed.
pub fn outer_product_packed<E: GemmElement>(
    pool: &Pool,
    left: &[E],
    (stride, outputs): (usize, usize),
    right: PanelsView<'_, E>,
    rows: usize,
    out: &mut [f32],
    free: &mut Buffers<E>,
) {
    let target = Output { data: out, stride: right.columns, offset: 0 };
    if E::reads_panels() {
        let mut across = panels(free, outputs, rows);
        pack_columns(pool, left, stride, rows, &mut across);
        gemm_packed(pool, across.view(), right, target, true);
        free.elements.give(across.data.into());
    } else {
        let left = Rows { data: left, rows, stride };
        gemm_across(pool, left, outputs, right, target);
    }
}
