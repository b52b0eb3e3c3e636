//! The backward pass through the layers.

use std::ops::Range;

use crate::buffers::{Buffer, Buffers};
use crate::gemm::{GemmElement, Output, PANEL, Rows, gemm};
use crate::model::adapter::Adapter;
use crate::model::forward::{LayerKept, Pass, Sizes};
use crate::model::layout::Slot;
use crate::model::linear::{Input, LinearGradient, linear_backward, stride_of, transposed};
use crate::ops::attention_backward::{
    AttentionBackward, OutputGradient, output_gradient_product, round_output_gradients,
};
use crate::ops::convert;
use crate::ops::norm::{rms_norm, rms_norm_backward, rms_norm_backward_row};
use crate::ops::norm_both_ways::{NormGradient, Normed, rms_norm_both_ways};
use crate::ops::outer::outer_product;
use crate::ops::swiglu::{swiglu, swiglu_backward, swiglu_backward_product};
use crate::pool::Pool;

/// Where gradients go: those of every tensor, or those of one adapter's parameters.
pub enum Gradients<'a, E> {
    Full(&'a mut [Vec<f32>]),
    Lora(&'a Adapter<E>, &'a mut [Vec<f32>]),
}

impl<E> Gradients<'_, E> {
    fn linear(&mut self, tensor: usize) -> LinearGradient<'_, E> {
        match self {
            Gradients::Full(tensors) => LinearGradient::Full(&mut tensors[tensor]),
            Gradients::Lora(adapter, parameters) => LinearGradient::Lora(adapter, parameters),
        }
    }

    /// The gradient of a whole tensor, where it is trained.
    pub fn tensor(&mut self, tensor: usize) -> Option<&mut [f32]> {
        match self {
            Gradients::Full(tensors) => Some(&mut tensors[tensor]),
            Gradients::Lora(..) => None,
        }
    }

    /// The gradient of the scalar head: the last parameter of either kind.
    pub fn value_head(&mut self) -> Option<&mut Vec<f32>> {
        match self {
            Gradients::Full(parameters) | Gradients::Lora(_, parameters) => parameters.last_mut(),
        }
    }
}

/// The gradient in the residual stream.
pub struct StreamGradient<E> {
    /// [rows, hidden].
    pub exact: Buffer<f32>,
    /// Rounded for products, [rows, stride_of(hidden)].
    pub rounded: Buffer<E>,
}

impl<E: GemmElement> StreamGradient<E> {
    pub fn new(pool: &Pool, exact: Buffer<f32>, hidden: usize, free: &mut Buffers<E>) -> Self {
        let stride = stride_of::<E>(hidden);
        let mut rounded = free.elements.take(exact.len() / hidden * stride);
        convert(pool, &exact, hidden, &mut rounded, stride);
        Self { exact, rounded }
    }

    /// Gives the buffers back.
    pub fn release(self, free: &mut Buffers<E>) {
        free.floats.give(self.exact);
        free.elements.give(self.rounded);
    }
}

impl<E: GemmElement> Pass<'_, E> {
    /// From the gradient in a layer's output to that in its input, in place. Overwrites what was kept of gates and ups.
    pub fn layer_backward(
        &self,
        layer: usize,
        kept: &mut LayerKept<E>,
        path_rows: &[Vec<u32>],
        d: &mut StreamGradient<E>,
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let slot = |slot| self.weights.layout.layer(layer, slot);
        self.gated_backward(layer, &mut kept.gate_up, &d.rounded, gradients, free);
        let mlp = [slot(Slot::MlpNorm), slot(Slot::GateUp)];
        self.normed_backward(mlp, &kept.middle, &kept.gate_up, d, gradients, free);
        let d_qkv = self.attention_backward(layer, kept, path_rows, &d.rounded, gradients, free);
        let attention = [slot(Slot::AttentionNorm), slot(Slot::Qkv)];
        self.normed_backward(attention, &kept.input, &d_qkv, d, gradients, free);
        free.elements.give(d_qkv);
    }

    /// From the gradient in the output of a linear map of normed rows, rounded, to that in the rows `x` [rows, hidden],
    /// which is added to `d`.
    fn normed_backward(
        &self,
        [norm, map]: [usize; 2],
        x: &[f32],
        d_out: &[E],
        d: &mut StreamGradient<E>,
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (pool, rows, Sizes { hidden, eps, .. }) = (self.pool, self.batch.tokens.len(), Sizes::of(self.weights));
        let (weight, matrix, stride) = (self.weights.vector(norm), self.weights.matrix(map), stride_of::<E>(hidden));
        let mut normed = free.elements.take(rows * stride);
        let mut d_normed = free.floats.take(rows * hidden);
        if let Gradients::Full(tensors) = gradients {
            let across = transposed(pool, matrix, hidden, free);
            let d_stride = stride_of::<E>(matrix.columns);
            let d_rows = Rows { data: d_out, rows, stride: d_stride };
            gemm(pool, d_rows, across.view(), Output { data: &mut d_normed, stride: hidden, offset: 0 }, false);
            let to = NormGradient { dx: &mut d.exact, rounded: &mut d.rounded, normed: &mut normed, stride };
            rms_norm_both_ways(pool, Normed { x, weight, eps }, &d_normed, to, &mut tensors[norm]);
            let (d_columns, columns) = ((d_stride, matrix.columns), (stride, hidden));
            outer_product(pool, d_out, d_columns, &normed, columns, rows, &mut tensors[map], free);
            free.elements.give(across.data.into());
        } else {
            rms_norm(pool, x, weight, eps, &mut normed, stride);
            self.back(map, &normed, hidden, d_out, &mut d_normed, gradients, free);
            rms_norm_backward(pool, x, weight, eps, &d_normed, &mut d.exact, None);
            convert(pool, &d.exact, hidden, &mut d.rounded, stride);
        }
        free.floats.give(d_normed);
        free.elements.give(normed);
    }

    /// From the gradient in the feed-forward's output, rounded, to that in gates and ups, rounded, [rows, 2 *
    /// intermediate], in their place.
    fn gated_backward(
        &self,
        layer: usize,
        gate_up: &mut Buffer<E>,
        d: &[E],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (pool, rows, sizes) = (self.pool, self.batch.tokens.len(), Sizes::of(self.weights));
        let width = sizes.intermediate;
        let (tensor, stride) = (self.weights.layout.layer(layer, Slot::Down), stride_of::<E>(width));
        let mut activation = free.elements.take(rows * stride);
        match gradients.linear(tensor) {
            LinearGradient::Full(d_weight) if width.is_multiple_of(PANEL) => {
                let d_stride = stride_of::<E>(sizes.hidden);
                let across = transposed(pool, self.weights.matrix(tensor), width, free);
                let d_rows = Rows { data: d, rows, stride: d_stride };
                swiglu_backward_product(pool, d_rows, across.view(), gate_up, width, &mut activation, stride);
                outer_product(pool, d, (d_stride, sizes.hidden), &activation, (stride, width), rows, d_weight, free);
                free.elements.give(across.data.into());
            }
            _ => {
                swiglu(pool, gate_up, width, &mut activation, stride);
                let mut d_activation = free.floats.take(rows * width);
                self.back(tensor, &activation, width, d, &mut d_activation, gradients, free);
                let mut d_gate_up = free.elements.take(rows * 2 * width);
                swiglu_backward(pool, gate_up, width, &d_activation, &mut d_gate_up);
                free.floats.give(d_activation);
                free.elements.give(std::mem::replace(gate_up, d_gate_up));
            }
        }
        free.elements.give(activation);
    }

    /// From the gradient in a linear map's output, rounded, to that in its input.
    fn back(
        &self,
        tensor: usize,
        input: &[E],
        columns: usize,
        d_out: &[E],
        d_input: &mut [f32],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let input = Input { data: input, rows: self.batch.tokens.len(), columns };
        linear_backward(self.pool, self.weights, tensor, input, d_out, d_input, &mut gradients.linear(tensor), free);
    }

    /// From the gradient in the output of attention's last map, rounded, to that in q, k and v as the linear map gave
    /// them (without bias), rounded, [rows, qkv_width].
    fn attention_backward(
        &self,
        layer: usize,
        kept: &LayerKept<E>,
        path_rows: &[Vec<u32>],
        d: &[E],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) -> Buffer<E> {
        let (pool, rows, sizes) = (self.pool, self.batch.tokens.len(), Sizes::of(self.weights));
        let layout = &self.weights.layout;
        let mut rounded = free.elements.take(rows * sizes.query_width());
        let mut deltas = free.floats.take(rows * sizes.heads.heads);
        self.attended_backward(layer, &kept.attended, d, (&mut rounded, &mut deltas), gradients, free);
        let attention = AttentionBackward {
            heads: sizes.heads,
            window: layout.config.layer_windows[layer],
            spans: &self.batch.spans,
            path_rows,
            rope: &self.weights.rope,
            queries: &kept.queries,
            keys: &kept.keys,
            values: &kept.values,
            log_sums: &kept.log_sums,
        };
        let d_out = OutputGradient { rounded: &rounded, deltas: &deltas };
        let mut d_qkv = free.elements.take(rows * sizes.qkv_width());
        if layout.config.qk_norm || layout.shapes[layout.layer(layer, Slot::QkvBias)].rows > 0 {
            let mut exact = free.floats.take(rows * sizes.qkv_width());
            attention.run(pool, d_out, &mut exact);
            self.heads_backward(layer, kept, &mut exact, gradients);
            convert(pool, &exact, sizes.qkv_width(), &mut d_qkv, sizes.qkv_width());
            free.floats.give(exact);
        } else {
            attention.run(pool, d_out, &mut d_qkv);
        }
        free.elements.give(rounded);
        free.floats.give(deltas);
        d_qkv
    }

    /// From the gradient in the output of attention's last map, rounded, to that in what attention gave, as
    /// `OutputGradient` has it.
    fn attended_backward(
        &self,
        layer: usize,
        attended: &[E],
        d: &[E],
        (rounded, deltas): (&mut [E], &mut [f32]),
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (pool, rows, sizes) = (self.pool, self.batch.tokens.len(), Sizes::of(self.weights));
        let (tensor, width) = (self.weights.layout.layer(layer, Slot::Output), sizes.query_width());
        match gradients.linear(tensor) {
            LinearGradient::Full(d_weight) if sizes.heads.panels().is_some() => {
                let stride = stride_of::<E>(sizes.hidden);
                let across = transposed(pool, self.weights.matrix(tensor), width, free);
                let d_rows = Rows { data: d, rows, stride };
                output_gradient_product(pool, d_rows, across.view(), sizes.heads, attended, rounded, deltas);
                outer_product(pool, d, (stride, sizes.hidden), attended, (width, width), rows, d_weight, free);
                free.elements.give(across.data.into());
            }
            _ => {
                let mut d_attended = free.floats.take(rows * width);
                self.back(tensor, attended, width, d, &mut d_attended, gradients, free);
                round_output_gradients(pool, sizes.heads, &d_attended, attended, rounded, deltas);
                free.floats.give(d_attended);
            }
        }
    }

    /// From the gradient in q, k and v to that before QK-norm, where the model has it, in place, and to those of biases
    /// and norms.
    fn heads_backward(&self, layer: usize, kept: &LayerKept<E>, d_qkv: &mut [f32], gradients: &mut Gradients<'_, E>) {
        let (rows, sizes) = (self.batch.tokens.len(), Sizes::of(self.weights));
        let (query_width, key_width, dim) = (sizes.query_width(), sizes.key_width(), sizes.heads.dim);
        let layout = &self.weights.layout;
        let (query_slot, key_slot) = (layout.layer(layer, Slot::QueryNorm), layout.layer(layer, Slot::KeyNorm));
        let (query_norm, key_norm) = (self.weights.vector(query_slot), self.weights.vector(key_slot));
        let (mut d_query_norm, mut d_key_norm) = (vec![0.0; query_norm.len()], vec![0.0; key_norm.len()]);
        let mut d_head = vec![0.0; dim];
        let normed_rows = if layout.config.qk_norm { rows } else { 0 };
        for (row, d_row) in d_qkv.chunks_exact_mut(sizes.qkv_width()).enumerate().take(normed_rows) {
            let mut through_norm = |columns: Range<usize>, norm: &[f32], d_norm: &mut [f32]| {
                for at in columns.step_by(dim) {
                    let raw = &kept.raw_qkv[row * sizes.qkv_width() + at..];
                    d_head.copy_from_slice(&d_row[at..at + dim]);
                    d_row[at..at + dim].fill(0.0);
                    rms_norm_backward_row(raw, norm, sizes.eps, &d_head, &mut d_row[at..at + dim], d_norm);
                }
            };
            through_norm(0..query_width, query_norm, &mut d_query_norm);
            through_norm(query_width..query_width + key_width, key_norm, &mut d_key_norm);
        }
        let add = |total: Option<&mut [f32]>, part: &[f32]| {
            if let Some(total) = total {
                total.iter_mut().zip(part).for_each(|(total, value)| *total += value);
            }
        };
        add(gradients.tensor(query_slot), &d_query_norm);
        add(gradients.tensor(key_slot), &d_key_norm);
        let bias = layout.layer(layer, Slot::QkvBias);
        if layout.shapes[bias].rows > 0 {
            for row in d_qkv.chunks_exact(sizes.qkv_width()) {
                add(gradients.tensor(bias), row);
            }
        }
    }
}
