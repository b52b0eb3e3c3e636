//! The forward pass over the rows of a batch, the same for sampling, scoring and training.

use crate::element::Element;
use crate::gemm::GemmElement;
use crate::model::buffers::Buffers;
use crate::model::layout::Slot;
use crate::model::linear::{Adapted, Input, linear, linear_rounded, stride_of};
use crate::model::weights::Weights;
use crate::ops::attention::{Attention, Span};
use crate::ops::norm::{rms_norm, rms_norm_row};
use crate::ops::pages::{Heads, PageWrite, Pages};
use crate::ops::swiglu::swiglu;
use crate::ops::{convert_row, for_rows};
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
    pub input: Vec<f32>,
    /// q, k and v before QK-norm, where the model has it, [rows, (heads + 2 kv_heads) * head_dim]; else empty.
    pub raw_qkv: Vec<f32>,
    pub queries: Vec<E>,
    pub keys: Vec<E>,
    pub values: Vec<E>,
    pub attended: Vec<E>,
    pub log_sums: Vec<f32>,
    /// After attention, [rows, hidden].
    pub middle: Vec<f32>,
    pub gate_up: Vec<E>,
}

impl<E: Element> LayerKept<E> {
    /// Holds nothing.
    pub fn empty() -> Self {
        Self {
            input: Vec::new(),
            raw_qkv: Vec::new(),
            queries: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            attended: Vec::new(),
            log_sums: Vec::new(),
            middle: Vec::new(),
            gate_up: Vec::new(),
        }
    }

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
    pub fn embed(&self, free: &mut Buffers<E>) -> Vec<f32> {
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
        x: &mut [f32],
        pages: &mut Pages<E>,
        page_layer: impl Fn(usize) -> usize,
        free: &mut Buffers<E>,
        keep: &mut dyn FnMut(LayerKept<E>, &mut Buffers<E>),
    ) {
        for layer in 0..self.weights.layout.config.num_layers {
            let kept = self.layer(layer, x, pages, page_layer(layer), free);
            keep(kept, free);
        }
    }

    /// One layer: attention and feed-forward, each added to the residual stream `x` [rows, hidden].
    pub fn layer(
        &self,
        layer: usize,
        x: &mut [f32],
        pages: &mut Pages<E>,
        page_layer: usize,
        free: &mut Buffers<E>,
    ) -> LayerKept<E> {
        let (pool, rows, sizes) = (self.pool, self.rows(), Sizes::of(self.weights));
        let layout = &self.weights.layout;
        let tensor = |slot| layout.layer(layer, slot);
        let mut input = free.floats.take(x.len());
        input.copy_from_slice(x);
        let stride = stride_of::<E>(sizes.hidden);
        let mut normed = free.elements.take(rows * stride);
        let mut qkv = free.floats.take(rows * sizes.qkv_width());
        rms_norm(pool, x, self.weights.vector(tensor(Slot::AttentionNorm)), sizes.eps, &mut normed, stride);
        self.linear(tensor(Slot::Qkv), &normed, sizes.hidden, &mut qkv, false, free);
        let (queries, keys, values) = self.split_qkv(layer, &mut qkv, sizes, free);
        pages.write(pool, page_layer, &self.batch.writes, &keys, &values);
        let attended_stride = stride_of::<E>(sizes.query_width());
        let mut attended = free.elements.take(rows * attended_stride);
        let mut log_sums = free.floats.take(rows * sizes.heads.heads);
        let attention = Attention {
            heads: sizes.heads,
            layer: page_layer,
            window: layout.config.layer_windows[layer],
            spans: &self.batch.spans,
            queries: &queries,
            pages,
        };
        attention.forward(pool, &mut attended, Some(&mut log_sums));
        self.linear(tensor(Slot::Output), &attended, sizes.query_width(), x, true, free);
        let mut middle = free.floats.take(x.len());
        middle.copy_from_slice(x);
        rms_norm(pool, x, self.weights.vector(tensor(Slot::MlpNorm)), sizes.eps, &mut normed, stride);
        let mut gate_up = free.elements.take(rows * 2 * sizes.intermediate);
        let input_rows = Input { data: &normed, rows, columns: sizes.hidden };
        let adapted = &self.batch.adapted;
        linear_rounded(pool, self.weights, tensor(Slot::GateUp), adapted, input_rows, &mut gate_up, free);
        let activation_stride = stride_of::<E>(sizes.intermediate);
        let mut activation = free.elements.take(rows * activation_stride);
        swiglu(pool, &gate_up, sizes.intermediate, &mut activation, activation_stride);
        self.linear(tensor(Slot::Down), &activation, sizes.intermediate, x, true, free);
        free.elements.give(normed);
        free.elements.give(activation);
        let raw_qkv = if layout.config.qk_norm {
            qkv
        } else {
            free.floats.give(qkv);
            Vec::new()
        };
        LayerKept { input, raw_qkv, queries, keys, values, attended, log_sums, middle, gate_up }
    }

    fn linear(
        &self,
        tensor: usize,
        input: &[E],
        columns: usize,
        out: &mut [f32],
        accumulate: bool,
        free: &mut Buffers<E>,
    ) {
        let input = Input { data: input, rows: self.rows(), columns };
        linear(self.pool, self.weights, tensor, &self.batch.adapted, input, out, accumulate, free);
    }

    /// Adds biases, normalises heads where the model does, rotates, and rounds. Leaves `qkv` as the heads were before
    /// their norm.
    fn split_qkv(
        &self,
        layer: usize,
        qkv: &mut [f32],
        sizes: Sizes,
        free: &mut Buffers<E>,
    ) -> (Vec<E>, Vec<E>, Vec<E>) {
        let (rows, width) = (self.rows(), sizes.qkv_width());
        let (query_width, key_width, dim) = (sizes.query_width(), sizes.key_width(), sizes.heads.dim);
        let layout = &self.weights.layout;
        let vector = |slot| self.weights.vector(layout.layer(layer, slot));
        let (bias, query_norm, key_norm) = (vector(Slot::QkvBias), vector(Slot::QueryNorm), vector(Slot::KeyNorm));
        let mut queries = free.elements.take(rows * query_width);
        let mut keys = free.elements.take(rows * key_width);
        let mut values = free.elements.take(rows * key_width);
        let parts = (Parts::new(&mut queries), Parts::new(&mut keys), Parts::new(&mut values), Parts::new(qkv));
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
                self.weights.rope.rotate(head, position, false);
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
        (queries, keys, values)
    }

    /// The final norm of chosen rows of `x`, rounded for the head: [rows.len(), stride].
    pub fn final_norm(&self, x: &[f32], rows: &[u32], free: &mut Buffers<E>) -> Vec<E> {
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
