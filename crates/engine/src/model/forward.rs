//! The forward pass over the rows of a batch, the same for sampling, scoring and training.

use std::ops::Range;

use crate::buffers::{Buffer, Buffers};
use crate::convert::convert_row;
use crate::element::Element;
use crate::gemm::{GemmElement, PANEL, Visits, gemm_visits};
use crate::memory::{LINE, prefetch_to_write};
use crate::model::layout::Slot;
use crate::model::linear::{Adapted, Input, is_adapted, linear, stride_of};
use crate::model::weights::Weights;
use crate::ops::attention::{Attention, Span};
use crate::ops::head_tile::place_head;
use crate::ops::norm::{rms_norm, rms_norm_row};
use crate::ops::pages::{Heads, NewRows, PageWrite, Pages};
use crate::ops::swiglu::{swiglu, swiglu_product};
use crate::ops::{convert, for_rows};
use crate::pool::{Parts, Pool};

/// Rows to compute: tokens at positions, on spans that say what they attend to.
pub struct Batch<E> {
    pub tokens: Vec<u32>,
    pub positions: Vec<u32>,
    pub spans: Vec<Span>,
    pub writes: Vec<PageWrite>,
    pub adapted: Vec<Adapted<E>>,
}

/// What the backward pass needs of one layer.
#[derive(Debug)]
pub struct LayerKept<E> {
    /// The layer's input, [rows, hidden].
    pub input: Buffer<f32>,
    /// q, k and v before QK-norm, where the model has it, [rows, (heads + 2 kv_heads) * head_dim]; else empty.
    pub raw_qkv: Buffer<f32>,
    pub queries: Buffer<E>,
    pub keys: Buffer<E>,
    pub values: Buffer<E>,
    pub attended: Buffer<E>,
    pub log_sums: Buffer<f32>,
    /// After attention, [rows, hidden].
    pub middle: Buffer<f32>,
    /// Empty where the backward pass will not need it; that pass overwrites it.
    pub gate_up: Buffer<E>,
}

impl<E: Element> LayerKept<E> {
    /// Gives the buffers back.
    pub fn release(self, free: &mut Buffers<E>) {
        for buffer in [self.input, self.raw_qkv, self.log_sums, self.middle] {
            free.floats.give(buffer);
        }
        for buffer in [self.queries, self.keys, self.values, self.attended, self.gate_up] {
            free.elements.give(buffer);
        }
    }
}

/// The shapes of one model that the passes ask for again and again.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub hidden: usize,
    pub intermediate: usize,
    pub heads: Heads,
    pub eps: f32,
}

impl Sizes {
    pub fn of<E>(weights: &Weights<E>) -> Self {
        let config = &weights.layout.config;
        let heads = Heads { heads: config.num_heads, kv_heads: config.num_kv_heads, dim: config.head_dim };
        Self { hidden: config.hidden_size, intermediate: config.intermediate_size, heads, eps: config.rms_norm_eps }
    }

    pub fn query_width(&self) -> usize {
        self.heads.heads * self.heads.dim
    }

    pub fn key_width(&self) -> usize {
        self.heads.kv_heads * self.heads.dim
    }

    pub fn qkv_width(&self) -> usize {
        self.query_width() + 2 * self.key_width()
    }
}

/// One pass: the weights, the threads and the buffers that it works with.
pub struct Pass<'a, E> {
    pub pool: &'a Pool,
    pub weights: &'a Weights<E>,
    pub batch: &'a Batch<E>,
}

impl<E: GemmElement> Pass<'_, E> {
    fn rows(&self) -> usize {
        self.batch.tokens.len()
    }

    /// The embeddings of the tokens, [rows, hidden].
    pub fn embed(&self, free: &mut Buffers<E>) -> Buffer<f32> {
        let hidden = self.weights.layout.config.hidden_size;
        let table = self.weights.matrix(self.weights.layout.embedding());
        let mut x = free.floats.take(self.rows() * hidden);
        let parts = Parts::new(&mut x);
        for_rows(self.pool, self.rows(), hidden, 0, &|row, _| {
            // SAFETY: each task has its own rows.
            table.read_column(self.batch.tokens[row] as usize, unsafe { parts.get(row * hidden, hidden) });
        });
        x
    }

    /// Runs every layer over `x`. `keep` gets what the backward pass needs of each. `page_layer` maps a layer to the one of
    /// `pages` that it uses.
    pub fn layers(
        &self,
        x: &mut Buffer<f32>,
        pages: &mut Pages<E>,
        page_layer: impl Fn(usize) -> usize,
        for_backward: bool,
        free: &mut Buffers<E>,
        keep: &mut dyn FnMut(LayerKept<E>, &mut Buffers<E>),
    ) {
        for layer in 0..self.weights.layout.config.num_layers {
            let kept = self.layer(layer, x, pages, page_layer(layer), for_backward, free);
            keep(kept, free);
        }
    }

    /// One layer: attention and feed-forward, each added to the residual stream `x` [rows, hidden]. Gates and ups are written only where they
    /// are `for_backward`.
    pub fn layer(
        &self,
        layer: usize,
        x: &mut Buffer<f32>,
        pages: &mut Pages<E>,
        page_layer: usize,
        for_backward: bool,
        free: &mut Buffers<E>,
    ) -> LayerKept<E> {
        let (pool, rows, sizes) = (self.pool, self.rows(), Sizes::of(self.weights));
        let layout = &self.weights.layout;
        let tensor = |slot| layout.layer(layer, slot);
        let stride = stride_of::<E>(sizes.hidden);
        let mut normed = free.elements.take(rows * stride);
        rms_norm(pool, x, self.weights.vector(tensor(Slot::AttentionNorm)), sizes.eps, &mut normed, stride);
        let (raw_qkv, queries, keys, values) = self.queries_keys_values(layer, &normed, sizes, free);
        let attended_stride = stride_of::<E>(sizes.query_width());
        let mut attended = free.elements.take(rows * attended_stride);
        let mut log_sums = free.floats.take(rows * sizes.heads.heads);
        let attention = Attention {
            heads: sizes.heads,
            layer: page_layer,
            window: layout.config.layer_windows[layer],
            spans: &self.batch.spans,
            queries: &queries,
            rows: NewRows { writes: &self.batch.writes, keys: &keys, values: &values },
        };
        attention.forward(pool, pages, &mut attended, Some(&mut log_sums));
        let mut middle = free.floats.take(x.len());
        self.linear(tensor(Slot::Output), &attended, sizes.query_width(), Some(x), &mut middle, free);
        rms_norm(pool, &middle, self.weights.vector(tensor(Slot::MlpNorm)), sizes.eps, &mut normed, stride);
        let mut activation = free.elements.take(rows * stride_of::<E>(sizes.intermediate));
        let gate_up = self.gated(layer, &normed, sizes, for_backward, &mut activation, free);
        let mut out = free.floats.take(x.len());
        self.linear(tensor(Slot::Down), &activation, sizes.intermediate, Some(&middle), &mut out, free);
        let input = std::mem::replace(x, out);
        free.elements.give(normed);
        free.elements.give(activation);
        LayerKept { input, raw_qkv, queries, keys, values, attended, log_sums, middle, gate_up }
    }

    fn linear(
        &self,
        tensor: usize,
        input: &[E],
        columns: usize,
        onto: Option<&[f32]>,
        out: &mut [f32],
        free: &mut Buffers<E>,
    ) {
        let input = Input { data: input, rows: self.rows(), columns };
        linear(self.pool, self.weights, tensor, &self.batch.adapted, input, onto, out, free);
    }

    /// Gates, ups and their activations, [rows, stride]; gives gates and ups, rounded, [rows, 2 * intermediate], or nothing where they are
    /// not `for_backward`.
    fn gated(
        &self,
        layer: usize,
        normed: &[E],
        sizes: Sizes,
        for_backward: bool,
        activation: &mut [E],
        free: &mut Buffers<E>,
    ) -> Buffer<E> {
        let (rows, width, tensor) = (self.rows(), sizes.intermediate, self.weights.layout.layer(layer, Slot::GateUp));
        let stride = stride_of::<E>(width);
        let tiled = width.is_multiple_of(PANEL) && !is_adapted(&self.batch.adapted, tensor);
        let wanted = for_backward || !tiled;
        let mut gate_up = if wanted { free.elements.take(rows * 2 * width) } else { Buffer::default() };
        if tiled {
            let input = Input { data: normed, rows, columns: sizes.hidden }.rows_of(0..rows);
            let kept = for_backward.then_some(&mut gate_up[..]);
            swiglu_product(self.pool, input, self.weights.matrix(tensor).view(), width, kept, activation, stride);
        } else {
            let mut sums = free.floats.take(rows * 2 * width);
            self.linear(tensor, normed, sizes.hidden, None, &mut sums, free);
            convert(self.pool, &sums, 2 * width, &mut gate_up, 2 * width);
            swiglu(self.pool, &gate_up, width, activation, stride);
            free.floats.give(sums);
        }
        gate_up
    }

    /// Queries, keys and values with their biases, normalised where the model does, rotated, and rounded; before them, as they were before their
    /// norms, where the model has some.
    fn queries_keys_values(
        &self,
        layer: usize,
        normed: &[E],
        sizes: Sizes,
        free: &mut Buffers<E>,
    ) -> (Buffer<f32>, Buffer<E>, Buffer<E>, Buffer<E>) {
        let (rows, layout) = (self.rows(), &self.weights.layout);
        let tensor = layout.layer(layer, Slot::Qkv);
        let mut queries = free.elements.take(rows * sizes.query_width());
        let mut keys = free.elements.take(rows * sizes.key_width());
        let mut values = free.elements.take(rows * sizes.key_width());
        if sizes.heads.panels().is_some() && !layout.config.qk_norm && !is_adapted(&self.batch.adapted, tensor) {
            self.heads_by_tiles(layer, normed, sizes, &mut queries, &mut keys, &mut values);
            return (Buffer::default(), queries, keys, values);
        }
        let mut qkv = free.floats.take(rows * sizes.qkv_width());
        self.linear(tensor, normed, sizes.hidden, None, &mut qkv, free);
        self.split_qkv(layer, &mut qkv, sizes, &mut queries, &mut keys, &mut values);
        let raw_qkv = if layout.config.qk_norm {
            qkv
        } else {
            free.floats.give(qkv);
            Buffer::default()
        };
        (raw_qkv, queries, keys, values)
    }

    /// As the product and `split_qkv` after it, one head of a few rows at a time, while its sums are at hand.
    fn heads_by_tiles(
        &self,
        layer: usize,
        normed: &[E],
        sizes: Sizes,
        queries: &mut [E],
        keys: &mut [E],
        values: &mut [E],
    ) {
        let Heads { heads, kv_heads, dim } = sizes.heads;
        let layout = &self.weights.layout;
        let bias = self.weights.vector(layout.layer(layer, Slot::QkvBias));
        let matrix = self.weights.matrix(layout.layer(layer, Slot::Qkv));
        let parts = [Parts::new(queries), Parts::new(keys), Parts::new(values)];
        let visits = Visits { count: heads + 2 * kv_heads, width: dim / PANEL, step: dim / PANEL, apart: 1 };
        let input = Input { data: normed, rows: self.rows(), columns: sizes.hidden }.rows_of(0..self.rows());
        // Of the head that a visit computes: which part, where in a row of it, and that row's width.
        let place = |visit: usize| match visit {
            _ if visit < heads => (0, visit * dim, sizes.query_width()),
            _ if visit < heads + kv_heads => (1, (visit - heads) * dim, sizes.key_width()),
            _ => (2, (visit - heads - kv_heads) * dim, sizes.key_width()),
        };
        gemm_visits(self.pool, input, matrix.view(), visits, &|rows: Range<usize>, visit: usize, sums: &mut [f32]| {
            let (part, column, width) = place(visit);
            let (next_part, next_column, next_width) = place((visit + 1).min(visits.count - 1));
            let bias = bias.get(visit * dim..(visit + 1) * dim).unwrap_or_default();
            for (index, row) in rows.clone().enumerate() {
                let next = parts[next_part].pointer().wrapping_add(row * next_width + next_column);
                (0..dim).step_by(LINE / size_of::<E>()).for_each(|at| prefetch_to_write(next.wrapping_add(at)));
                let angles = (part < 2).then(|| self.weights.rope.angles(self.batch.positions[row] as usize));
                // SAFETY: tiles do not overlap.
                let out = unsafe { parts[part].get(row * width + column, dim) };
                place_head(sums, rows.len(), index, bias, angles, out);
            }
        });
    }

    /// Adds biases, normalises heads where the model does, rotates, and rounds. Leaves `qkv` as the heads were before
    /// their norm.
    fn split_qkv(
        &self,
        layer: usize,
        qkv: &mut [f32],
        sizes: Sizes,
        queries: &mut [E],
        keys: &mut [E],
        values: &mut [E],
    ) {
        let (rows, width) = (self.rows(), sizes.qkv_width());
        let (query_width, key_width, dim) = (sizes.query_width(), sizes.key_width(), sizes.heads.dim);
        let layout = &self.weights.layout;
        let vector = |slot| self.weights.vector(layout.layer(layer, slot));
        let (bias, query_norm, key_norm) = (vector(Slot::QkvBias), vector(Slot::QueryNorm), vector(Slot::KeyNorm));
        let parts = (Parts::new(queries), Parts::new(keys), Parts::new(values), Parts::new(qkv));
        for_rows(self.pool, rows, width, dim, &|row, head| {
            // SAFETY: each task has its own rows.
            let (queries, keys, values, raw) = unsafe {
                (
                    parts.0.get(row * query_width, query_width),
                    parts.1.get(row * key_width, key_width),
                    parts.2.get(row * key_width, key_width),
                    parts.3.get(row * width, width),
                )
            };
            raw.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
            let position = self.batch.positions[row] as usize;
            let mut place = |from: &[f32], norm: &[f32], to: &mut [E]| {
                if norm.is_empty() {
                    head.copy_from_slice(from)
                } else {
                    rms_norm_row(from, norm, sizes.eps, head);
                }
                self.weights.rope.rotate(head, position);
                convert_row(head, to);
            };
            let (raw_queries, raw_rest) = raw.split_at(query_width);
            for (from, to) in raw_queries.chunks_exact(dim).zip(queries.chunks_exact_mut(dim)) {
                place(from, query_norm, to);
            }
            let (raw_keys, raw_values) = raw_rest.split_at(key_width);
            for (from, to) in raw_keys.chunks_exact(dim).zip(keys.chunks_exact_mut(dim)) {
                place(from, key_norm, to);
            }
            convert_row(raw_values, values);
        });
    }

    /// The final norm of chosen rows of `x`, rounded for the head: [rows.len(), stride].
    pub fn final_norm(&self, x: &[f32], rows: &[u32], free: &mut Buffers<E>) -> Buffer<E> {
        let sizes = Sizes::of(self.weights);
        let weight = self.weights.vector(self.weights.layout.final_norm());
        let stride = stride_of::<E>(sizes.hidden);
        let mut out = free.elements.take(rows.len() * stride);
        let parts = Parts::new(&mut out);
        for_rows(self.pool, rows.len(), sizes.hidden, sizes.hidden, &|index, normed| {
            let at = rows[index] as usize * sizes.hidden;
            rms_norm_row(&x[at..at + sizes.hidden], weight, sizes.eps, normed);
            // SAFETY: each task has its own rows.
            convert_row(normed, unsafe { parts.get(index * stride, stride) });
        });
        out
    }
}
