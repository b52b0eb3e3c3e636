//! The backward pass through the layers.

use std::ops::Range;

use crate::buffers::{Buffer, Buffers};
use crate::gemm::{GemmElement, PANEL, Rows};
use crate::model::adapter::Adapter;
use crate::model::forward::{LayerKept, Pass, Sizes};
use crate::model::layout::Slot;
use crate::model::linear::{Input, LinearGradient, linear_backward, stride_of, transposed};
use crate::ops::attention_backward::AttentionBackward;
use crate::ops::norm::{rms_norm, rms_norm_backward, rms_norm_backward_row};
use crate::ops::outer::outer_product;
use crate::ops::swiglu::{swiglu, swiglu_backward, swiglu_backward_product};
use crate::ops::{convert, for_rows};
use crate::pool::Parts;

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

impl<E: GemmElement> Pass<'_, E> {
    /// From the gradient in a layer's output, `d` [rows, hidden], to that in its input, in place. Overwrites what was kept of gates and ups.
    pub fn layer_backward(
        &self,
        layer: usize,
        kept: &mut LayerKept<E>,
        path_rows: &[Vec<u32>],
        d: &mut [f32],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (pool, rows, sizes) = (self.pool, self.batch.tokens.len(), Sizes::of(self.weights));
        let layout = &self.weights.layout;
        let tensor = |slot| layout.layer(layer, slot);
        let stride = stride_of::<E>(sizes.hidden);
        self.gated_backward(layer, &mut kept.gate_up, sizes, d, gradients, free);
        let mut normed = free.elements.take(rows * stride);
        let mlp_norm = self.weights.vector(tensor(Slot::MlpNorm));
        rms_norm(pool, &kept.middle, mlp_norm, sizes.eps, &mut normed, stride);
        let mut d_normed = free.floats.take(rows * sizes.hidden);
        self.back_rounded(tensor(Slot::GateUp), &normed, sizes.hidden, &kept.gate_up, &mut d_normed, gradients, free);
        let d_norm = gradients.tensor(tensor(Slot::MlpNorm));
        rms_norm_backward(pool, &kept.middle, mlp_norm, sizes.eps, &d_normed, d, d_norm);

        let mut d_attended = free.floats.take(rows * sizes.query_width());
        self.back(tensor(Slot::Output), &kept.attended, sizes.query_width(), d, &mut d_attended, gradients, free);
        let mut d_qkv = free.floats.take(rows * sizes.qkv_width());
        self.attention_backward(layer, kept, path_rows, &d_attended, &mut d_qkv, gradients, free);
        let norm = self.weights.vector(tensor(Slot::AttentionNorm));
        rms_norm(pool, &kept.input, norm, sizes.eps, &mut normed, stride);
        self.back(tensor(Slot::Qkv), &normed, sizes.hidden, &d_qkv, &mut d_normed, gradients, free);
        let d_norm = gradients.tensor(tensor(Slot::AttentionNorm));
        rms_norm_backward(pool, &kept.input, norm, sizes.eps, &d_normed, d, d_norm);
        free.elements.give(normed);
        for buffer in [d_attended, d_qkv, d_normed] {
            free.floats.give(buffer);
        }
    }

    /// From the gradient in the feed-forward's output to that in gates and ups, rounded, [rows, 2 * intermediate], in their place.
    fn gated_backward(
        &self,
        layer: usize,
        gate_up: &mut Buffer<E>,
        sizes: Sizes,
        d: &[f32],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (pool, rows, width) = (self.pool, self.batch.tokens.len(), sizes.intermediate);
        let (tensor, stride) = (self.weights.layout.layer(layer, Slot::Down), stride_of::<E>(width));
        let mut activation = free.elements.take(rows * stride);
        match gradients.linear(tensor) {
            LinearGradient::Full(d_weight) if width.is_multiple_of(PANEL) => {
                let d_stride = stride_of::<E>(sizes.hidden);
                let mut rounded = free.elements.take(rows * d_stride);
                convert(pool, d, sizes.hidden, &mut rounded, d_stride);
                let across = transposed(pool, self.weights.matrix(tensor), width, free);
                let d_rows = Rows { data: &rounded, rows, stride: d_stride };
                swiglu_backward_product(pool, d_rows, across.view(), gate_up, width, &mut activation, stride);
                let d_columns = (d_stride, sizes.hidden);
                outer_product(pool, &rounded, d_columns, &activation, (stride, width), rows, d_weight, free);
                free.elements.give(across.data.into());
                free.elements.give(rounded);
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

    fn back(
        &self,
        tensor: usize,
        input: &[E],
        columns: usize,
        d_out: &[f32],
        d_input: &mut [f32],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let rows = self.batch.tokens.len();
        let outputs = self.weights.matrix(tensor).columns;
        let stride = stride_of::<E>(outputs);
        let mut rounded = free.elements.take(rows * stride);
        convert(self.pool, d_out, outputs, &mut rounded, stride);
        self.back_rounded(tensor, input, columns, &rounded, d_input, gradients, free);
        free.elements.give(rounded);
    }

    /// As `back`, from a gradient that is rounded already.
    fn back_rounded(
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

    /// From the gradient in attention's output to that in q, k and v as the linear map gave them (without bias).
    fn attention_backward(
        &self,
        layer: usize,
        kept: &LayerKept<E>,
        path_rows: &[Vec<u32>],
        d_attended: &[f32],
        d_qkv: &mut [f32],
        gradients: &mut Gradients<'_, E>,
        free: &mut Buffers<E>,
    ) {
        let (rows, sizes) = (self.batch.tokens.len(), Sizes::of(self.weights));
        let (query_width, key_width, dim) = (sizes.query_width(), sizes.key_width(), sizes.heads.dim);
        let layout = &self.weights.layout;
        let mut d_queries = free.floats.take(rows * query_width);
        let mut d_keys = free.floats.take_zeroed(rows * key_width);
        let mut d_values = free.floats.take_zeroed(rows * key_width);
        AttentionBackward {
            heads: sizes.heads,
            window: layout.config.layer_windows[layer],
            spans: &self.batch.spans,
            path_rows,
            queries: &kept.queries,
            keys: &kept.keys,
            values: &kept.values,
            out: &kept.attended,
            log_sums: &kept.log_sums,
        }
        .run(self.pool, d_attended, &mut d_queries, &mut d_keys, &mut d_values);
        let (query_slot, key_slot) = (layout.layer(layer, Slot::QueryNorm), layout.layer(layer, Slot::KeyNorm));
        let (query_norm, key_norm) = (self.weights.vector(query_slot), self.weights.vector(key_slot));
        self.rotate_back(sizes, &d_queries, &d_keys, &d_values, d_qkv);
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
        for buffer in [d_queries, d_keys, d_values] {
            free.floats.give(buffer);
        }
    }

    /// Puts the gradients of queries, keys and values side by side, those of queries and keys as they were before the rotation.
    fn rotate_back(&self, sizes: Sizes, d_queries: &[f32], d_keys: &[f32], d_values: &[f32], d_qkv: &mut [f32]) {
        let (query_width, key_width, width) = (sizes.query_width(), sizes.key_width(), sizes.qkv_width());
        let parts = Parts::new(d_qkv);
        for_rows(self.pool, self.batch.tokens.len(), width, 0, &|row, _| {
            // SAFETY: each task has its own rows.
            let to = unsafe { parts.get(row * width, width) };
            let (to_queries, rest) = to.split_at_mut(query_width);
            let (to_keys, to_values) = rest.split_at_mut(key_width);
            to_queries.copy_from_slice(&d_queries[row * query_width..(row + 1) * query_width]);
            to_keys.copy_from_slice(&d_keys[row * key_width..(row + 1) * key_width]);
            to_values.copy_from_slice(&d_values[row * key_width..(row + 1) * key_width]);
            let position = self.batch.positions[row] as usize;
            for head in to[..query_width + key_width].chunks_exact_mut(sizes.heads.dim) {
                self.weights.rope.rotate(head, position, true);
            }
        });
    }
}
