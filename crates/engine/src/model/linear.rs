//! One linear map of the model, with the adapters of the rows added.

use std::ops::Range;
use std::sync::Arc;

use crate::buffers::{Buffer, Buffers, panels};
use crate::gemm::{GemmElement, Output, Panels, Rows, gemm, gemm_onto, repack_transposed};
use crate::model::adapter::Adapter;
use crate::model::weights::Weights;
use crate::ops::convert;
use crate::ops::outer::outer_product;
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
    pub fn rows_of(&self, range: Range<usize>) -> Rows<'a, E> {
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
) -> Buffer<E> {
    let (rank, rows) = (a.columns, input.rows);
    let mut product = free.floats.take(rows * rank);
    gemm(pool, input, a.view(), Output { data: &mut product, stride: rank, offset: 0 }, false);
    product.iter_mut().for_each(|value| *value *= scale);
    let mut rounded = free.elements.take(rows * stride_of::<E>(rank));
    convert(pool, &product, rank, &mut rounded, stride_of::<E>(rank));
    free.floats.give(product);
    rounded
}

/// Whether an adapter of some rows changes the map.
pub fn is_adapted<E>(adapted: &[Adapted<E>], tensor: usize) -> bool {
    adapted.iter().any(|(_, adapter)| adapter.modules.contains_key(&tensor))
}

/// `out = x W^T`, or `onto + x W^T`, then `+= scale (x A^T) B^T` for the rows that have an adapter. out, onto: [rows, outputs].
pub fn linear<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    tensor: usize,
    adapted: &[Adapted<E>],
    input: Input<'_, E>,
    onto: Option<&[f32]>,
    out: &mut [f32],
    free: &mut Buffers<E>,
) {
    let matrix = weights.matrix(tensor);
    let outputs = matrix.columns;
    let (rows, target) = (input.rows_of(0..input.rows), Output { data: out, stride: outputs, offset: 0 });
    match onto {
        Some(onto) => gemm_onto(pool, rows, matrix.view(), onto, target),
        None => gemm(pool, rows, matrix.view(), target, false),
    }
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

/// Where the gradients of a linear map go.
pub enum LinearGradient<'a, E> {
    /// The whole matrix, [outputs, inputs].
    Full(&'a mut [f32]),
    /// Every parameter of one adapter, in the order of its shapes.
    Lora(&'a Adapter<E>, &'a mut [Vec<f32>]),
}

/// Panels of the transpose, for the gradient in the `inputs` of a linear map.
pub fn transposed<E: GemmElement>(pool: &Pool, matrix: &Panels<E>, inputs: usize, free: &mut Buffers<E>) -> Panels<E> {
    let mut across = panels(free, inputs, matrix.columns);
    repack_transposed(pool, matrix.view(), &mut across);
    across
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
    let across = transposed(pool, matrix, inputs, free);
    let left = Rows { data: d_out, rows, stride };
    gemm(pool, left, across.view(), Output { data: d_input, stride: inputs, offset: 0 }, false);
    free.elements.give(across.data.into());
    match gradient {
        LinearGradient::Full(d_weight) => {
            outer_product(
                pool,
                d_out,
                (stride, outputs),
                input.data,
                (stride_of::<E>(inputs), inputs),
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
    outer_product(pool, &d_module, (stride, width), &inner, (rank_stride, rank), rows, d_b, free);
    let mut b_across = panels(free, rank, width);
    repack_transposed(pool, module.b.view(), &mut b_across);
    let mut d_inner = free.floats.take(rows * rank);
    let left = Rows { data: &d_module, rows, stride };
    gemm(pool, left, b_across.view(), Output { data: &mut d_inner, stride: rank, offset: 0 }, false);
    d_inner.iter_mut().for_each(|value| *value *= adapter.scale());
    let mut d_rounded = free.elements.take(rows * rank_stride);
    convert(pool, &d_inner, rank, &mut d_rounded, rank_stride);
    let d_a = &mut gradients[module.a_index];
    let input_columns = (stride_of::<E>(input.columns), input.columns);
    outer_product(pool, &d_rounded, (rank_stride, rank), input.data, input_columns, rows, d_a, free);
    let mut a_across = panels(free, input.columns, rank);
    repack_transposed(pool, module.a.view(), &mut a_across);
    let left = Rows { data: &d_rounded, rows, stride: rank_stride };
    gemm(pool, left, a_across.view(), Output { data: d_input, stride: input.columns, offset: 0 }, true);
    for buffer in [inner, d_module, b_across.data.into(), d_rounded, a_across.data.into()] {
        free.elements.give(buffer);
    }
    free.floats.give(d_inner);
}
