//! Layouts that the kernels read: panels of 32 columns, groups of the reduction side by side.

use super::transpose::{TURNED, transpose_groups};
use super::{GemmElement, PANEL};
use crate::convert::convert_elements;
use crate::element::{Bf16, Element, MAX_GROUP};
use crate::isa::by_isa;
use crate::memory::zeros;
use crate::pool::{Parts, Pool};

/// The matrix B, packed: `[columns / 32][reduction / GROUP][32][GROUP]`, zeros where a panel or a group is not full.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels<E> {
    pub columns: usize,
    /// Padded to a multiple of the group.
    pub reduction: usize,
    pub data: Vec<E>,
}

impl<E: Element> Panels<E> {
    pub fn zeros(columns: usize, reduction: usize) -> Self {
        let reduction = reduction.next_multiple_of(E::GROUP);
        let data = zeros(columns.div_ceil(PANEL) * PANEL * reduction);
        Self { columns, reduction, data }
    }

    /// Gives the buffer another shape, keeping its memory. What it holds is unspecified until it is packed.
    pub fn reshape(&mut self, columns: usize, reduction: usize) {
        self.columns = columns;
        self.reduction = reduction.next_multiple_of(E::GROUP);
        let length = columns.div_ceil(PANEL) * PANEL * self.reduction;
        if self.data.len() < length {
            self.data.resize(length, E::default());
        }
    }

    pub fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }

    pub fn view(&self) -> PanelsView<'_, E> {
        PanelsView {
            columns: self.columns,
            reduction: self.reduction,
            panel_length: PANEL * self.reduction,
            data: &self.data,
        }
    }

    /// Panels `first..first + count`, those of them that exist.
    pub fn slice(&self, first: usize, count: usize) -> PanelsView<'_, E> {
        let last = (first + count).min(self.panels());
        let length = PANEL * self.reduction;
        let columns = self.columns.min(last * PANEL) - first * PANEL;
        PanelsView {
            columns,
            reduction: self.reduction,
            panel_length: length,
            data: &self.data[first * length..last * length],
        }
    }

    /// Copies column `column` (a row of a weight matrix) out as f32.
    pub fn read_column(&self, column: usize, out: &mut [f32]) {
        let panel = &self.view().panel(column / PANEL)[(column % PANEL) * E::GROUP..];
        for (index, value) in out.iter_mut().enumerate() {
            *value = panel[(index / E::GROUP) * PANEL * E::GROUP + index % E::GROUP].to_f32();
        }
    }
}

/// Some panels of B.
#[derive(Debug, Clone, Copy)]
pub struct PanelsView<'a, E> {
    pub columns: usize,
    pub reduction: usize,
    panel_length: usize,
    data: &'a [E],
}

impl<'a, E: Element> PanelsView<'a, E> {
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }

    pub fn panel(&self, index: usize) -> &'a [E] {
        &self.data[index * self.panel_length..(index + 1) * self.panel_length]
    }

    /// Only the first columns.
    pub fn with_columns(self, columns: usize) -> Self {
        assert!(columns <= self.columns);
        Self { columns, ..self }
    }

    /// Only the first part of the reduction, rounded up to whole groups.
    pub fn with_reduction(self, reduction: usize) -> Self {
        assert!(reduction <= self.reduction);
        Self { reduction: reduction.next_multiple_of(E::GROUP), ..self }
    }
}

/// Packs one panel of a row-major [columns, reduction] matrix (a weight matrix as checkpoints store it): columns
/// `first..first + 32`, of which those below `columns` exist.
fn pack_rows_panel<S: Element, E: Element>(
    source: &[S],
    stride: usize,
    reduction: usize,
    first: usize,
    columns: usize,
    panel: &mut [E],
) {
    let groups = reduction.div_ceil(E::GROUP);
    let width = (columns - first).min(PANEL);
    let depth = TURNED * E::GROUP;
    let done = if width == PANEL { reduction / depth * depth } else { 0 };
    let mut block = [E::default(); PANEL * TURNED * MAX_GROUP];
    for start in (0..done).step_by(depth) {
        for (column, row) in block.chunks_exact_mut(depth).enumerate().take(PANEL) {
            let from = (first + column) * stride + start;
            convert_elements(&source[from..from + depth], row);
        }
        transpose_groups(&block, depth, PANEL, TURNED, &mut panel[start * PANEL..], PANEL * E::GROUP);
    }
    panel[done * PANEL..groups * PANEL * E::GROUP].fill(E::default());
    for column in 0..width {
        let row = &source[(first + column) * stride..(first + column) * stride + reduction];
        for (index, value) in row.iter().enumerate().skip(done) {
            panel[((index / E::GROUP) * PANEL + column) * E::GROUP + index % E::GROUP] = E::from_f32(value.to_f32());
        }
    }
}

/// Packs a row-major [columns, reduction] matrix with rows `stride` apart.
pub fn pack_rows<S: Element, E: Element>(
    pool: &Pool,
    source: &[S],
    stride: usize,
    reduction: usize,
    out: &mut Panels<E>,
) {
    assert_eq!(out.reduction, reduction.next_multiple_of(E::GROUP));
    let (columns, length) = (out.columns, PANEL * out.reduction);
    let count = out.panels();
    let parts = Parts::new(&mut out.data);
    pool.run(count, &|index| {
        // SAFETY: each task has its own panel.
        let panel = unsafe { parts.get(index * length, length) };
        pack_rows_panel(source, stride, reduction, index * PANEL, columns, panel);
    });
}

/// Rows of a task of `pack_columns`: few enough that their pages and lines stay at hand from one panel to the next.
const PACKED_ROWS: usize = 32;

/// Panels of such a task, so that a few rows are work for several threads.
const PACKED_PANELS: usize = 8;

/// Packs a row-major [reduction, columns] matrix with rows `stride` apart (activations, their rows the reduction).
pub fn pack_columns<E: GemmElement>(pool: &Pool, source: &[E], stride: usize, reduction: usize, out: &mut Panels<E>) {
    assert_eq!(out.reduction, reduction.next_multiple_of(E::GROUP));
    let (columns, length) = (out.columns, PANEL * out.reduction);
    let (count, padded) = (out.panels(), out.reduction);
    let across = count.div_ceil(PACKED_PANELS);
    let parts = Parts::new(&mut out.data);
    pool.run(padded.div_ceil(PACKED_ROWS) * across, &|task| {
        let from = task / across * PACKED_ROWS;
        let to = (from + PACKED_ROWS).min(padded);
        let first_panel = task % across * PACKED_PANELS;
        for index in first_panel..(first_panel + PACKED_PANELS).min(count) {
            // SAFETY: each task has its own groups of its own panels.
            let groups = unsafe { parts.get(index * length + from * PANEL, (to - from) * PANEL) };
            let first = index * PANEL;
            let width = (columns - first).min(PANEL);
            // Whole groups of whole panels, which are nearly all, then the rest one by one.
            let whole = if width < PANEL { 0 } else { (to.min(reduction) - from) / E::GROUP };
            let (whole, rest) = groups.split_at_mut(whole * PANEL * E::GROUP);
            E::interleave(&source[from * stride + first..], stride, whole);
            let start = from + whole.len() / PANEL;
            for (index, value) in rest.iter_mut().enumerate() {
                let row = start + index / (PANEL * E::GROUP) * E::GROUP + index % E::GROUP;
                let column = index / E::GROUP % PANEL;
                let there = row < reduction && column < width;
                *value = if there { source[row * stride + first + column] } else { E::default() };
            }
        }
    });
}

by_isa! {
    /// Puts the elements of two rows side by side, for 32 columns of every pair of rows.
    pub(super) fn interleave_pairs(rows: &[Bf16], stride: usize, out: &mut [Bf16]) {
        let _ = FMA;
        for (pair, out) in out.chunks_exact_mut(2 * PANEL).enumerate() {
            let (first, second) = (&rows[2 * pair * stride..][..PANEL], &rows[(2 * pair + 1) * stride..][..PANEL]);
            for i in 0..PANEL {
                out[2 * i] = first[i];
                out[2 * i + 1] = second[i];
            }
        }
    }
}

/// From panels of B to panels of its transpose: columns and reduction change places.
pub fn repack_transposed<E: GemmElement>(pool: &Pool, source: PanelsView<'_, E>, out: &mut Panels<E>) {
    assert!(
        out.columns <= source.reduction && out.reduction >= source.columns && out.reduction <= source.panels() * PANEL
    );
    let length = PANEL * out.reduction;
    let count = out.panels();
    let parts = Parts::new(&mut out.data);
    pool.run(count, &|index| {
        // SAFETY: each task has its own panel.
        let panel = unsafe { parts.get(index * length, length) };
        let first = index * PANEL;
        let width = (source.reduction - first).min(PANEL);
        if width < PANEL {
            panel.fill(E::default());
        }
        for from in 0..source.panels() {
            let block = &source.panel(from)[first * PANEL..];
            let depth = (out.reduction - from * PANEL).min(PANEL);
            let to = &mut panel[from * PANEL * PANEL..];
            if E::GROUP * TURNED == PANEL && depth == PANEL && width == PANEL {
                let mut rows = [E::default(); PANEL * PANEL];
                transpose_groups(block, PANEL * E::GROUP, TURNED, PANEL, &mut rows, PANEL);
                E::interleave(&rows, PANEL, &mut to[..PANEL * PANEL]);
                continue;
            }
            for group in 0..depth / E::GROUP {
                let to_group = &mut to[group * PANEL * E::GROUP..(group + 1) * PANEL * E::GROUP];
                for (column, value) in to_group.chunks_exact_mut(E::GROUP).enumerate().take(width) {
                    let at = (column / E::GROUP) * PANEL * E::GROUP + column % E::GROUP;
                    for (part, value) in value.iter_mut().enumerate() {
                        *value = block[at + (group * E::GROUP + part) * E::GROUP];
                    }
                }
            }
        }
    });
}
