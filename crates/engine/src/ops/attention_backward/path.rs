//! The gradient along the path of one span, for the query heads of one kv head.

use std::ops::Range;

use super::multiply::multiply;
use super::rows::Query;
use super::scratch::{BLOCK, SCORED, Scratch, whole};
use super::target::Target;
use super::{AttentionBackward, OutputGradient};
use crate::element::Element;
use crate::gemm::{GemmElement, PANEL, transpose_groups};
use crate::memory::prefetch;
use crate::ops::pages::Heads;

/// Rows `from..from + count` of a span, for one head.
struct Block {
    span: usize,
    head: usize,
    from: usize,
    count: usize,
}

impl<E: GemmElement> AttentionBackward<'_, E> {
    /// Writes the gradients of the span's queries; leaves those of the path's keys and values in the scratch.
    ///
    /// # Safety
    /// No other thread uses the target's parts for those queries.
    pub(super) unsafe fn path<T: Element>(
        &self,
        span_index: usize,
        kv_head: usize,
        d_out: OutputGradient<'_, E>,
        target: &Target<'_, T>,
        scratch: &mut Scratch<E>,
    ) {
        let (span, group) = (&self.spans[span_index], self.heads.group());
        let columns = self.path_rows[span_index].len().next_multiple_of(PANEL);
        if columns == 0 {
            return;
        }
        let heads = kv_head * group..(kv_head + 1) * group;
        let blocks = heads.flat_map(|head| (0..span.rows).step_by(BLOCK).map(move |from| (head, from)));
        let block = |(head, from)| Block { span: span_index, head, from, count: (span.rows - from).min(BLOCK) };
        let mut blocks = blocks.map(block).peekable();
        if let Some(first) = blocks.peek() {
            self.prefetch_rows(first, d_out, target);
        }
        scratch.begin(self.heads, columns);
        scratch.seen.clear();
        scratch.seen.extend((span.start..span.end()).map(|position| span.keys(position, self.window)));
        self.pack_path(span_index, kv_head, columns, scratch);
        while let Some(block) = blocks.next() {
            self.take_rows(&block, d_out, scratch);
            if let Some(next) = blocks.peek() {
                self.prefetch_rows(next, d_out, target);
            }
            let (first, end) = hull(&scratch.seen[block.from..block.from + block.count]);
            let panels = first / PANEL..end.div_ceil(PANEL);
            for from in (0..block.count).step_by(SCORED) {
                self.weigh(&block, from, (block.count - from).min(SCORED), &panels, columns, scratch);
            }
            self.add_key_gradients(&block, &panels, columns, scratch);
            // SAFETY: by this function's contract.
            unsafe {
                self.put_query_gradients(&block, panels.start * PANEL..whole::<E>(end), columns, target, scratch)
            };
        }
    }

    /// Where row `i` of a block has its head's numbers.
    fn place(&self, block: &Block, i: usize) -> Range<usize> {
        let Heads { heads, dim, .. } = self.heads;
        let place = (self.spans[block.span].first_row + block.from + i) * heads + block.head;
        place * dim..(place + 1) * dim
    }

    /// Asks for what a block reads and writes: rows far apart, which the processor does not foresee.
    fn prefetch_rows<T: Element>(&self, block: &Block, d_out: OutputGradient<'_, E>, target: &Target<'_, T>) {
        for i in 0..block.count {
            let range = self.place(block, i);
            prefetch(&d_out.rounded[range.clone()]);
            prefetch(&self.queries[range]);
            target.prefetch(self.spans[block.span].first_row + block.from + i, block.head);
        }
    }

    fn pack_path(&self, span: usize, kv_head: usize, columns: usize, scratch: &mut Scratch<E>) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let (padded, path) = (self.heads.padded(), &self.path_rows[span]);
        let Scratch { rows, keys_across, values_across, keys_down, .. } = scratch;
        // The keys come last, for they are packed in both ways.
        for (source, across) in [(self.values, values_across), (self.keys, keys_across)] {
            for (row, to) in path.iter().zip(rows.chunks_exact_mut(padded)) {
                to[..dim].copy_from_slice(&source[(*row as usize * kv_heads + kv_head) * dim..][..dim]);
            }
            rows[path.len() * padded..columns * padded].fill(E::default());
            let panels = across.chunks_exact_mut(PANEL * dim).zip(rows.chunks_exact(PANEL * padded));
            for (panel, rows) in panels.take(columns / PANEL) {
                transpose_groups(rows, padded, PANEL, dim / E::GROUP, panel, PANEL * E::GROUP);
            }
        }
        for (index, panel) in keys_down.chunks_exact_mut(columns * PANEL).enumerate().take(padded / PANEL) {
            E::interleave(&rows[index * PANEL..], padded, panel);
        }
    }

    /// What the block needs of queries and of the gradients of outputs.
    fn take_rows(&self, block: &Block, d_out: OutputGradient<'_, E>, scratch: &mut Scratch<E>) {
        let (dim, padded) = (self.heads.dim, self.heads.padded());
        for i in 0..block.count {
            let range = self.place(block, i);
            scratch.log_sums[i] = self.log_sums[range.start / dim];
            scratch.deltas[i] = d_out.deltas[range.start / dim];
            scratch.queries[i * padded..][..dim].copy_from_slice(&self.queries[range.clone()]);
            scratch.d_outputs[i * padded..][..dim].copy_from_slice(&d_out.rounded[range]);
        }
        for buffer in [&mut scratch.queries, &mut scratch.d_outputs] {
            buffer[block.count * padded..whole::<E>(block.count) * padded].fill(E::default());
        }
    }

    /// Weights and gradients of scores, rounded, of rows `from..from + count` of the block; zero where a key is not seen.
    fn weigh(
        &self,
        block: &Block,
        from: usize,
        count: usize,
        panels: &Range<usize>,
        columns: usize,
        scratch: &mut Scratch<E>,
    ) {
        let (dim, padded) = (self.heads.dim, self.heads.padded());
        let Scratch { seen, scores, d_weights, weights, d_scores, .. } = scratch;
        let seen = &seen[block.from + from..][..count];
        let (first, end) = hull(seen);
        for (left, right, total) in [
            (&scratch.queries, &scratch.keys_across, &mut *scores),
            (&scratch.d_outputs, &scratch.values_across, &mut *d_weights),
        ] {
            for panel in first / PANEL..end.div_ceil(PANEL) {
                let (left, right) = (&left[from * padded..], &right[panel * PANEL * dim..]);
                assert!(total.len() >= count * columns && panel * PANEL < columns);
                // SAFETY: the total holds `count` rows, this panel's columns among theirs.
                unsafe {
                    let total = total.as_mut_ptr().add(panel * PANEL);
                    multiply(count, dim, left, padded, right, total, columns, PANEL, false);
                }
            }
        }
        let (low, high) = (panels.start * PANEL, panels.end * PANEL);
        for (i, seen) in seen.iter().enumerate() {
            // Whole panels: the columns around the keys seen are computed, then overwritten.
            let around = seen.start / PANEL * PANEL..seen.end.next_multiple_of(PANEL);
            let (row, at) = ((from + i) * columns, i * columns);
            let query = Query {
                scale: self.heads.scale(),
                log_sum: scratch.log_sums[from + i],
                delta: scratch.deltas[from + i],
            };
            query.backward(
                &scores[at + around.start..at + around.end],
                &d_weights[at + around.start..at + around.end],
                &mut weights[row + around.start..row + around.end],
                &mut d_scores[row + around.start..row + around.end],
            );
            for buffer in [&mut *weights, &mut *d_scores] {
                buffer[row + low..row + seen.start].fill(E::default());
                buffer[row + seen.end..row + high].fill(E::default());
            }
        }
        let rows = (from + count) * columns..whole::<E>(from + count) * columns;
        for buffer in [weights, d_scores] {
            buffer[rows.clone()].fill(E::default());
        }
    }

    /// Adds the block's part to the transposed gradients of keys and values: so turned, they take the weights as panels, which is
    /// a matter of interleaving rows, and the fewer numbers of the queries as rows.
    fn add_key_gradients(&self, block: &Block, panels: &Range<usize>, columns: usize, scratch: &mut Scratch<E>) {
        let (dim, padded) = (self.heads.dim, self.heads.padded());
        let reduction = whole::<E>(block.count);
        let Scratch { panel, turned, .. } = scratch;
        let panel = &mut panel[..reduction * PANEL];
        for (left, right, total) in [
            (&scratch.queries, &scratch.d_scores, &mut scratch.d_keys),
            (&scratch.d_outputs, &scratch.weights, &mut scratch.d_values),
        ] {
            for (index, turned) in turned.chunks_exact_mut(PANEL * BLOCK).enumerate() {
                E::interleave(&left[index * PANEL..], padded, panel);
                transpose_groups(panel, PANEL * E::GROUP, reduction / E::GROUP, PANEL, turned, BLOCK);
            }
            for index in panels.clone() {
                E::interleave(&right[index * PANEL..], columns, panel);
                assert!(total.len() == dim * columns && index * PANEL < columns);
                // SAFETY: the total holds `dim` rows, this panel's columns among theirs.
                unsafe {
                    let total = total.as_mut_ptr().add(index * PANEL);
                    multiply(dim, reduction, turned, BLOCK, panel, total, columns, PANEL, true);
                }
            }
        }
    }

    /// `keys`: those of which the block sees any.
    ///
    /// # Safety
    /// No other thread uses the target's parts for the block's queries.
    unsafe fn put_query_gradients<T: Element>(
        &self,
        block: &Block,
        keys: Range<usize>,
        columns: usize,
        target: &Target<'_, T>,
        scratch: &mut Scratch<E>,
    ) {
        let dim = self.heads.dim;
        let Scratch { keys_down, d_scores, d_queries, .. } = scratch;
        assert!(d_queries.len() >= block.count * dim);
        for from in keys.clone().step_by(E::pass()) {
            let reduction = (keys.end - from).min(E::pass());
            for (index, panel) in keys_down.chunks_exact(columns * PANEL).enumerate().take(dim.div_ceil(PANEL)) {
                let (left, right) = (&d_scores[from..], &panel[from * PANEL..]);
                let (at, width) = (index * PANEL, (dim - index * PANEL).min(PANEL));
                // SAFETY: the sums hold `count` rows, this panel's columns among theirs.
                unsafe {
                    let sums = d_queries.as_mut_ptr().add(at);
                    multiply(block.count, reduction, left, columns, right, sums, dim, width, from > keys.start);
                }
            }
        }
        let span = &self.spans[block.span];
        for (i, gradient) in d_queries.chunks_exact(dim).enumerate().take(block.count) {
            let from = block.from + i;
            // SAFETY: by this function's contract.
            unsafe { target.put(span.first_row + from, span.start + from, block.head, gradient) };
        }
    }
}

/// The first of the keys that any of some rows sees, and the end of those.
fn hull(seen: &[Range<usize>]) -> (usize, usize) {
    let first = seen.iter().map(|keys| keys.start).min().unwrap_or(0);
    (first, seen.iter().map(|keys| keys.end).max().unwrap_or(0))
}
