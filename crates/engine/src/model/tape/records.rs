//! Rows of activations in memory: of each row and layer one record of f32 and one of the model's own numbers.

use super::TapedRow;
use crate::buffers::{Buffer, Buffers};
use crate::element::Element;
use crate::memory::zeros;
use crate::model::forward::{LayerKept, Sizes};
use crate::ops::for_rows;
use crate::pool::{Parts, Pool};

/// Memory is taken in chunks of about so many bytes: few enough to be large pages, many enough that the last one's
/// unused rest is little.
const CHUNK_BYTES: usize = 32 << 20;

/// Rows of all layers. A chunk's records lie [layers][rows][width].
pub(super) struct Records<E> {
    layers: usize,
    /// Widths of what a record holds: `floats_of` and `elements_of` in their order.
    pub floats: [usize; 4],
    pub elements: [usize; 5],
    hidden: usize,
    /// Rows of a chunk but the last, which has what is left.
    rows: usize,
    /// Most rows of all chunks.
    most: usize,
    chunks: Vec<Chunk<E>>,
}

struct Chunk<E> {
    rows: usize,
    floats: Vec<f32>,
    elements: Vec<E>,
    /// What comes out of the last layer, [rows, hidden].
    last: Vec<f32>,
}

fn floats_of<E>(kept: &LayerKept<E>) -> [&Buffer<f32>; 4] {
    [&kept.input, &kept.middle, &kept.log_sums, &kept.raw_qkv]
}

fn elements_of<E>(kept: &LayerKept<E>) -> [&Buffer<E>; 5] {
    [&kept.queries, &kept.keys, &kept.values, &kept.attended, &kept.gate_up]
}

impl<E: Element> Records<E> {
    /// In at most `bytes`. `attended`: elements between rows of attention's output.
    pub fn new(sizes: Sizes, qk_norm: bool, attended: usize, layers: usize, bytes: usize) -> Self {
        let raw = if qk_norm { sizes.qkv_width() } else { 0 };
        let (queries, keys) = (sizes.query_width(), sizes.key_width());
        let mut records = Self {
            layers,
            floats: [sizes.hidden, sizes.hidden, sizes.heads.heads, raw],
            elements: [queries, keys, keys, attended, 2 * sizes.intermediate],
            hidden: sizes.hidden,
            rows: 0,
            most: 0,
            chunks: Vec::new(),
        };
        records.rows = (CHUNK_BYTES / records.row_bytes()).clamp(16, 1024);
        records.most = bytes / records.row_bytes();
        records
    }

    fn widths(&self) -> (usize, usize) {
        (self.floats.iter().sum(), self.elements.iter().sum())
    }

    /// Memory of one row.
    pub fn row_bytes(&self) -> usize {
        let (floats, elements) = self.widths();
        self.layers * (4 * floats + size_of::<E>() * elements) + 4 * self.hidden
    }

    /// Most rows that there is room for.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn bytes(&self) -> usize {
        self.held() * self.row_bytes()
    }

    /// Rows of the chunks.
    fn held(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.rows).sum()
    }

    pub fn release(&mut self) {
        self.chunks = Vec::new();
    }

    fn reach(&mut self, placed: &[TapedRow]) {
        let rows = placed.iter().map(|row| row.to as usize + 1).max().unwrap_or(0);
        let (floats, elements) = self.widths();
        while self.held() < rows {
            let rows = self.rows.min(self.most - self.held());
            self.chunks.push(Chunk {
                rows,
                floats: zeros(self.layers * rows * floats),
                elements: zeros(self.layers * rows * elements),
                last: zeros(rows * self.hidden),
            });
        }
    }

    pub fn write_layer(&mut self, pool: &Pool, layer: usize, kept: &LayerKept<E>, placed: &[TapedRow]) {
        self.reach(placed);
        let (float_width, element_width) = self.widths();
        let (floats, elements) = (floats_of(kept), elements_of(kept));
        let rows = self.rows;
        let parts: Vec<_> = self
            .chunks
            .iter_mut()
            .map(|chunk| (Parts::new(&mut chunk.floats), Parts::new(&mut chunk.elements), chunk.rows))
            .collect();
        for_rows(pool, placed.len(), float_width + element_width, 0, &|index, _| {
            let TapedRow { from, to } = placed[index];
            let chunk = &parts[to as usize / rows];
            let row = layer * chunk.2 + to as usize % rows;
            // SAFETY: each task has its own rows.
            let (float_record, element_record) = unsafe {
                (chunk.0.get(row * float_width, float_width), chunk.1.get(row * element_width, element_width))
            };
            join(float_record, &self.floats, &floats, from as usize);
            join(element_record, &self.elements, &elements, from as usize);
        });
    }

    pub fn write_last(&mut self, pool: &Pool, x: &[f32], placed: &[TapedRow]) {
        self.reach(placed);
        let (rows, hidden) = (self.rows, self.hidden);
        let parts: Vec<_> = self.chunks.iter_mut().map(|chunk| Parts::new(&mut chunk.last)).collect();
        for_rows(pool, placed.len(), hidden, 0, &|index, _| {
            let (from, to) = (placed[index].from as usize, placed[index].to as usize);
            // SAFETY: each task has its own rows.
            let record = unsafe { parts[to / rows].get(to % rows * hidden, hidden) };
            record.copy_from_slice(&x[from * hidden..(from + 1) * hidden]);
        });
    }

    pub fn layer(&self, pool: &Pool, layer: usize, rows: &[u32], free: &mut Buffers<E>) -> LayerKept<E> {
        let (float_width, element_width) = self.widths();
        let mut floats = self.floats.map(|width| free.floats.take(rows.len() * width));
        let mut elements = self.elements.map(|width| free.elements.take(rows.len() * width));
        let float_parts: Vec<_> = floats.iter_mut().map(|buffer| Parts::new(buffer)).collect();
        let element_parts: Vec<_> = elements.iter_mut().map(|buffer| Parts::new(buffer)).collect();
        for_rows(pool, rows.len(), float_width + element_width, 0, &|index, _| {
            let at = rows[index] as usize;
            let chunk = &self.chunks[at / self.rows];
            let row = layer * chunk.rows + at % self.rows;
            part(&chunk.floats[row * float_width..], &self.floats, &float_parts, index);
            part(&chunk.elements[row * element_width..], &self.elements, &element_parts, index);
        });
        let ([input, middle, log_sums, raw_qkv], [queries, keys, values, attended, gate_up]) = (floats, elements);
        LayerKept { input, raw_qkv, queries, keys, values, attended, log_sums, middle, gate_up }
    }

    pub fn last(&self, pool: &Pool, rows: &[u32], free: &mut Buffers<E>) -> Buffer<f32> {
        let hidden = self.hidden;
        let mut x = free.floats.take(rows.len() * hidden);
        let parts = Parts::new(&mut x);
        for_rows(pool, rows.len(), hidden, 0, &|index, _| {
            let at = rows[index] as usize;
            let from = &self.chunks[at / self.rows].last[at % self.rows * hidden..];
            // SAFETY: each task has its own rows.
            unsafe { parts.get(index * hidden, hidden) }.copy_from_slice(&from[..hidden]);
        });
        x
    }
}

/// Puts a row of some matrices side by side.
fn join<T: Copy>(record: &mut [T], widths: &[usize], matrices: &[&Buffer<T>], row: usize) {
    let mut rest = record;
    for (&width, matrix) in widths.iter().zip(matrices) {
        let (to, after) = rest.split_at_mut(width);
        to.copy_from_slice(&matrix[row * width..(row + 1) * width]);
        rest = after;
    }
}

/// Parts a record into a row of some matrices, which is the caller's alone.
fn part<T: Copy>(record: &[T], widths: &[usize], matrices: &[Parts<T>], row: usize) {
    let mut at = 0;
    for (&width, matrix) in widths.iter().zip(matrices) {
        // SAFETY: each row is one task's.
        unsafe { matrix.get(row * width, width) }.copy_from_slice(&record[at..at + width]);
        at += width;
    }
}
