//! One linear map of the model, with the adapters of the rows added.

use std::ops::Range;
use std::sync::Arc;

use crate::gemm::{
    GemmElement, Output, Panels, Rows, gemm, gemm_packed, gemm_rounded, pack_columns, repack_transposed,
};
use crate::model::adapter::Adapter;
use crate::model::buffers::Buffers;
use crate::model::weights::Weights;
use crate::ops::convert;
use crate::pool::Pool;

/// Rows of a batch that share an adapter.
pub type Adapted<E> = (Range<usize>, Arc<Adapter<E>>);

/// Elements between rows of an operand with `columns` columns.
pub fn stride_of<E: GemmElement>(columns: usize) -> usize {
    columns.next_multiple_of(E::GROUP)
}

/// The input of a linear map: `rows` rows, `stride_of(columns)` apart.
#[derive(Clone, Copy)]
pub struct Input<'a, E> {
    pub data: &'a [E],
    pub rows: usize,
    pub columns: usize,
}

impl<'a, E: GemmElement> Input<'a, E> {
    fn rows_of(&self, range: Range<usize>) -> Rows<'a, E> {
        let stride = stride_of::<E>(self.columns);
        Rows { data: &self.data[range.start * stride..], rows: range.len(), stride }
    }
}

/// `A x` scaled and rounded, for the rows of one adapter.
fn low_rank<E: GemmElement>(
    pool: &Pool,
    input: Rows<'_, E>,
    a: &Panels<E>,
    scale: f32,
    free: &mut Buffers<E>,
) -> Vec<E> {
    let (rank, rows) = (a.columns, input.rows);
    let mut product = free.floats.take(rows * rank);
    gemm(pool, input, a.view(), Output { data: &mut product, stride: rank, offset: 0 }, false);
    product.iter_mut().for_each(|value| *value *= scale);
    let mut rounded = free.elements.take(rows * stride_of::<E>(rank));
    convert(pool, &product, rank, &mut rounded, stride_of::<E>(rank));
    free.floats.give(product);
    rounded
}

/// `out = x W^T` (or `+=`), then `+= scale (x A^T) B^T` for the rows that have an adapter. out: [rows, outputs].
pub fn linear<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    tensor: usize,
    adapted: &[Adapted<E>],
    input: Input<'_, E>,
    out: &mut [f32],
    accumulate: bool,
    free: &mut Buffers<E>,
) {
    let matrix = weights.matrix(tensor);
    let outputs = matrix.columns;
    let target = Output { data: out, stride: outputs, offset: 0 };
    gemm(pool, input.rows_of(0..input.rows), matrix.view(), target, accumulate);
    for (range, adapter) in adapted {
        for module in adapter.modules.get(&tensor).into_iter().flatten() {
            let inner = low_rank(pool, input.rows_of(range.clone()), &module.a, adapter.scale(), free);
            let stride = stride_of::<E>(adapter.config.rank);
            let left = Rows { data: &inner, rows: range.len(), stride };
            let offset = range.start * outputs + module.rows.start;
            gemm(pool, left, module.b.view(), Output { data: out, stride: outputs, offset }, true);
            free.elements.give(inner);
        }
    }
}

/// `out = x W^T` with the adapters' shares, rounded: what `linear` and rounding after it give. out: [rows, outputs], whole groups of them.
pub fn linear_rounded<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    tensor: usize,
    adapted: &[Adapted<E>],
    input: Input<'_, E>,
    out: &mut [E],
    free: &mut Buffers<E>,
) {
    let matrix = weights.matrix(tensor);
    let outputs = matrix.columns;
    assert_eq!(outputs, stride_of::<E>(outputs), "rows of outputs are not padded");
    if !adapted.iter().any(|(_, adapter)| adapter.modules.contains_key(&tensor)) {
        gemm_rounded(pool, input.rows_of(0..input.rows), matrix.view(), out, outputs);
        return;
    }
    let mut sums = free.floats.take(input.rows * outputs);
    linear(pool, weights, tensor, adapted, input, &mut sums, false, free);
    convert(pool, &sums, outputs, out, outputs);
    free.floats.give(sums);
}

/// Where the gradients of a linear map go.
pub enum LinearGradient<'a, E> {
    /// The whole matrix, [outputs, inputs].
    Full(&'a mut [f32]),
    /// Every parameter of one adapter, in the order of its shapes.
    Lora(&'a Adapter<E>, &'a mut [Vec<f32>]),
}

/// From the gradient of the output, rounded, [rows, stride_of(outputs)], to that of the input, [rows, inputs] (overwritten), and to those
/// of the weights (added).
pub fn linear_backward<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    tensor: usize,
    input: Input<'_, E>,
    d_out: &[E],
    d_input: &mut [f32],
    gradient: &mut LinearGradient<'_, E>,
    free: &mut Buffers<E>,
) {
    let matrix = weights.matrix(tensor);
    let (rows, outputs, inputs) = (input.rows, matrix.columns, input.columns);
    let stride = stride_of::<E>(outputs);
    let mut across = panels(free, inputs, outputs);
    repack_transposed(pool, matrix.view(), &mut across);
    let left = Rows { data: d_out, rows, stride };
    gemm(pool, left, across.view(), Output { data: d_input, stride: inputs, offset: 0 }, false);
    free.elements.give(across.data);
    match gradient {
        LinearGradient::Full(d_weight) => {
            outer_product(
                pool,
                d_out,
                stride,
                outputs,
                input.data,
                stride_of::<E>(inputs),
                inputs,
                rows,
                d_weight,
                free,
            );
        }
        LinearGradient::Lora(adapter, gradients) => {
            for module in adapter.modules.get(&tensor).into_iter().flatten() {
                lora_backward(pool, adapter, module, input, d_out, stride, d_input, gradients, free);
            }
        }
    }
}

fn lora_backward<E: GemmElement>(
    pool: &Pool,
    adapter: &Adapter<E>,
    module: &crate::model::adapter::LoraModule<E>,
    input: Input<'_, E>,
    d_out: &[E],
    d_out_stride: usize,
    d_input: &mut [f32],
    gradients: &mut [Vec<f32>],
    free: &mut Buffers<E>,
) {
    let (rows, rank, width) = (input.rows, adapter.config.rank, module.rows.len());
    let rank_stride = stride_of::<E>(rank);
    let inner = low_rank(pool, input.rows_of(0..rows), &module.a, adapter.scale(), free);
    let stride = stride_of::<E>(width);
    let mut d_module = free.elements.take(rows * stride);
    for (row, to) in d_module.chunks_exact_mut(stride).enumerate() {
        let from = row * d_out_stride + module.rows.start;
        to[..width].copy_from_slice(&d_out[from..from + width]);
        to[width..].fill(E::default());
    }
    let d_b = &mut gradients[module.b_index];
    outer_product(pool, &d_module, stride, width, &inner, rank_stride, rank, rows, d_b, free);
    let mut b_across = panels(free, rank, width);
    repack_transposed(pool, module.b.view(), &mut b_across);
    let mut d_inner = free.floats.take(rows * rank);
    let left = Rows { data: &d_module, rows, stride };
    gemm(pool, left, b_across.view(), Output { data: &mut d_inner, stride: rank, offset: 0 }, false);
    d_inner.iter_mut().for_each(|value| *value *= adapter.scale());
    let mut d_rounded = free.elements.take(rows * rank_stride);
    convert(pool, &d_inner, rank, &mut d_rounded, rank_stride);
    let d_a = &mut gradients[module.a_index];
    outer_product(
        pool,
        &d_rounded,
        rank_stride,
        rank,
        input.data,
        stride_of::<E>(input.columns),
        input.columns,
        rows,
        d_a,
        free,
    );
    let mut a_across = panels(free, input.columns, rank);
    repack_transposed(pool, module.a.view(), &mut a_across);
    let left = Rows { data: &d_rounded, rows, stride: rank_stride };
    gemm(pool, left, a_across.view(), Output { data: d_input, stride: input.columns, offset: 0 }, true);
    for buffer in [inner, d_module, b_across.data, d_rounded, a_across.data] {
        free.elements.give(buffer);
    }
    free.floats.give(d_inner);
}

/// `out += left^T right` over rows: left [rows, outputs], right [rows, inputs], out [outputs, inputs].
fn outer_product<E: GemmElement>(
    pool: &Pool,
    left: &[E],
    left_stride: usize,
    outputs: usize,
    right: &[E],
    right_stride: usize,
    inputs: usize,
    rows: usize,
    out: &mut [f32],
    free: &mut Buffers<E>,
) {
    let mut across = panels(free, outputs, rows);
    pack_columns(pool, left, left_stride, rows, &mut across);
    let mut down = panels(free, inputs, rows);
    pack_columns(pool, right, right_stride, rows, &mut down);
    gemm_packed(pool, across.view(), down.view(), Output { data: out, stride: inputs, offset: 0 }, true);
    free.elements.give(across.data);
    free.elements.give(down.data);
}

/// Panels in a reused buffer.
fn panels<E: GemmElement>(free: &mut Buffers<E>, columns: usize, reduction: usize) -> Panels<E> {
    let mut panels = Panels { columns: 0, reduction: 0, data: Vec::new() };
    let length = columns.next_multiple_of(crate::gemm::PANEL) * stride_of::<E>(reduction);
    panels.data = free.elements.take(length);
    panels.reshape(columns, reduction);
    panels
}
