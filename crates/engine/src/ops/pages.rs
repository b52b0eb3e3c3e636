//! Pages of keys and values.
//!
//! A page holds 32 consecutive positions, aligned to 32, laid out as the panels that the matrix kernels read: keys
//! [head_dim / GROUP][32][GROUP], values [head_dim / 32][32 / GROUP][32][GROUP].

use crate::element::Element;
use crate::gemm::PANEL;
use crate::pool::{Parts, Pool};

/// Positions of a page: one panel.
pub const PAGE: usize = PANEL;

/// Rows from which on their writes are worth waking other threads.
const MANY_WRITES: usize = 16;

/// Where the key and value of a row go; a row on several paths is written for each.
#[derive(Debug, Clone, Copy)]
pub struct PageWrite {
    pub row: u32,
    pub page: u32,
    pub slot: u32,
}

/// Head counts and sizes of attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
}

impl Heads {
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    pub fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// head_dim as the value panels have it.
    pub fn padded(&self) -> usize {
        self.dim.next_multiple_of(PANEL)
    }
}

/// Pages of keys and values of all layers.
pub struct Pages<E> {
    heads: Heads,
    layers: usize,
    count: usize,
    keys: Vec<E>,
    values: Vec<E>,
}

impl<E: Element> Pages<E> {
    pub fn new(heads: Heads, layers: usize, count: usize) -> Self {
        let keys = vec![E::default(); layers * count * heads.kv_heads * Self::key_length(heads)];
        let values = vec![E::default(); layers * count * heads.kv_heads * heads.padded() * PAGE];
        Self { heads, layers, count, keys, values }
    }

    fn key_length(heads: Heads) -> usize {
        heads.dim.next_multiple_of(E::GROUP) * PAGE
    }

    /// Bytes of one page in all layers.
    pub fn page_bytes(heads: Heads, layers: usize) -> usize {
        layers * heads.kv_heads * (Self::key_length(heads) + heads.padded() * PAGE) * size_of::<E>()
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds empty pages until there are `count`.
    pub fn grow(&mut self, count: usize) {
        self.count = self.count.max(count);
        let heads = self.count * self.layers * self.heads.kv_heads;
        self.keys.resize(heads * Self::key_length(self.heads), E::default());
        self.values.resize(heads * self.heads.padded() * PAGE, E::default());
    }

    /// The keys of a page in one layer and head.
    pub fn keys(&self, layer: usize, page: usize, head: usize) -> &[E] {
        &self.keys[self.key_range(layer, page, head)]
    }

    /// The values of a page in one layer and head.
    pub fn values(&self, layer: usize, page: usize, head: usize) -> &[E] {
        &self.values[self.value_range(layer, page, head)]
    }

    fn key_range(&self, layer: usize, page: usize, head: usize) -> std::ops::Range<usize> {
        let length = Self::key_length(self.heads);
        let start = ((page * self.layers + layer) * self.heads.kv_heads + head) * length;
        start..start + length
    }

    fn value_range(&self, layer: usize, page: usize, head: usize) -> std::ops::Range<usize> {
        let length = self.heads.padded() * PAGE;
        let start = ((page * self.layers + layer) * self.heads.kv_heads + head) * length;
        start..start + length
    }

    /// Writes keys and values of rows, [rows, kv_heads * head_dim] each.
    pub fn write(&mut self, pool: &Pool, layer: usize, writes: &[PageWrite], keys: &[E], values: &[E]) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let (key_parts, value_parts) = (Parts::new(&mut self.keys), Parts::new(&mut self.values));
        let write_head = |part: usize| {
            let head = part / 2;
            for &PageWrite { row, page, slot } in writes {
                let from = (row as usize * kv_heads + head) * dim;
                let (page, slot) = (page as usize, slot as usize);
                if part.is_multiple_of(2) {
                    let range = self.key_range(layer, page, head);
                    // SAFETY: each part has its own head's keys.
                    let to = unsafe { key_parts.get(range.start, range.len()) };
                    for (d, item) in keys[from..from + dim].iter().enumerate() {
                        to[((d / E::GROUP) * PAGE + slot) * E::GROUP + d % E::GROUP] = *item;
                    }
                } else {
                    let range = self.value_range(layer, page, head);
                    // SAFETY: each part has its own head's values.
                    let to = unsafe { value_parts.get(range.start, range.len()) };
                    for (d, item) in values[from..from + dim].iter().enumerate() {
                        let panel = (d / PANEL) * PANEL * PAGE;
                        to[panel + ((slot / E::GROUP) * PANEL + d % PANEL) * E::GROUP + slot % E::GROUP] = *item;
                    }
                }
            }
        };
        if writes.len() < MANY_WRITES {
            (0..2 * kv_heads).for_each(write_head);
        } else {
            pool.run(2 * kv_heads, &write_head);
        }
    }

    /// Copies a page in every layer.
    pub fn copy(&mut self, from: usize, to: usize) {
        for layer in 0..self.layers {
            for head in 0..self.heads.kv_heads {
                let source = self.key_range(layer, from, head);
                let start = self.key_range(layer, to, head).start;
                self.keys.copy_within(source, start);
                let source = self.value_range(layer, from, head);
                let start = self.value_range(layer, to, head).start;
                self.values.copy_within(source, start);
            }
        }
    }

    /// Zeroes a page in every layer: what an earlier owner left must not meet a zero weight as an infinity or a NaN.
    pub fn clear(&mut self, page: usize) {
        for layer in 0..self.layers {
            for head in 0..self.heads.kv_heads {
                let range = self.key_range(layer, page, head);
                self.keys[range].fill(E::default());
                let range = self.value_range(layer, page, head);
                self.values[range].fill(E::default());
            }
        }
    }
}
