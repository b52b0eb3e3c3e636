//! The gradient of attention, with the softmax's weights recomputed from their logarithmic sums (Dao et al., 2022).

use std::ops::Range;

use crate::gemm::{GemmElement, Output, Panels, Rows, gemm, gemm_packed, pack_columns, pack_rows};
use crate::isa::by_isa;
use crate::ops::attention::Span;
use crate::ops::math::{add_scaled, dot, exp};
use crate::ops::pages::Heads;
use crate::ops::{convert_row, widen_row};
use crate::pool::{Parts, Pool};

/// Query rows of one block: its scores over a few hundred keys stay in the L2 cache.
const BLOCK: usize = 64;

/// What the forward pass kept: queries, outputs and logarithmic sums by row and head; keys and values by row and kv head.
pub struct AttentionBackward<'a, E> {
    pub heads: Heads,
    pub window: Option<usize>,
    pub spans: &'a [Span],
    /// For each span, the row of every position from 0 to its end.
    pub path_rows: &'a [Vec<u32>],
    pub queries: &'a [E],
    pub keys: &'a [E],
    pub values: &'a [E],
    pub out: &'a [E],
    pub log_sums: &'a [f32],
}

by_isa! {
    /// From scores and the weights' gradients to the weights and the scores' gradients, in place.
    fn softmax_backward_row(scores: &mut [f32], d: &mut [f32], scale: f32, log_sum: f32, delta: f32) {
        for (score, d) in scores.iter_mut().zip(d.iter_mut()) {
            let weight = exp::<FMA>(*score * scale - log_sum);
            *score = weight;
            *d = weight * (*d - delta) * scale;
        }
    }
}

/// Gradients of the keys and values on the path of one span and kv head, [positions, head_dim] each.
struct PathGradient {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Cuts spans, whose paths have these lengths, into runs whose paths together are no longer than the batch or than one of
/// the longest for each thread: the memory of path gradients is then bounded, however many spans share a beginning.
fn groups(lengths: &[usize], rows: usize, threads: usize) -> Vec<Range<usize>> {
    let bound = rows.max(threads * lengths.iter().copied().max().unwrap_or(0));
    let mut groups = Vec::new();
    let (mut start, mut total) = (0, 0);
    for (index, length) in lengths.iter().enumerate() {
        if total + length > bound && index > start {
            groups.push(start..index);
            (start, total) = (index, 0);
        }
        total += length;
    }
    if start < lengths.len() {
        groups.push(start..lengths.len());
    }
    groups
}

impl<E: GemmElement> AttentionBackward<'_, E> {
    /// From the gradient of the output, [rows, heads * head_dim], those of queries (same shape), keys and values
    /// ([rows, kv_heads * head_dim]), before RoPE is undone. `d_keys` and `d_values` are added to.
    pub fn run(&self, pool: &Pool, d_out: &[f32], d_queries: &mut [f32], d_keys: &mut [f32], d_values: &mut [f32]) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let width = kv_heads * dim;
        let d_queries = Parts::new(d_queries);
        let lengths: Vec<usize> = self.path_rows.iter().map(Vec::len).collect();
        for group in groups(&lengths, d_keys.len() / width, pool.threads()) {
            let mut paths: Vec<Option<PathGradient>> = (0..group.len() * kv_heads).map(|_| None).collect();
            let slots = Parts::new(&mut paths);
            pool.run(group.len() * kv_heads, &|task| {
                let gradient = self.path(group.start + task / kv_heads, task % kv_heads, d_out, d_queries);
                // SAFETY: each task has its own slot.
                unsafe { slots.get(task, 1)[0] = Some(gradient) };
            });
            let (d_keys, d_values) = (Parts::new(d_keys), Parts::new(d_values));
            // A key that several spans see gets their gradients in the order of the spans.
            pool.run(kv_heads, &|head| {
                for (index, rows) in self.path_rows[group.clone()].iter().enumerate() {
                    let Some(path) = &paths[index * kv_heads + head] else { continue };
                    for (position, row) in rows.iter().enumerate() {
                        let offset = *row as usize * width + head * dim;
                        let range = position * dim..(position + 1) * dim;
                        // SAFETY: each task has its own head of every row.
                        unsafe {
                            add_scaled(d_keys.get(offset, dim), &path.keys[range.clone()], 1.0);
                            add_scaled(d_values.get(offset, dim), &path.values[range], 1.0);
                        }
                    }
                }
            });
        }
    }

    fn path(&self, span_index: usize, kv_head: usize, d_out: &[f32], d_queries: Parts<f32>) -> PathGradient {
        let Heads { heads, kv_heads, dim } = self.heads;
        let group = self.heads.group();
        let alone = Pool::new(1);
        let span = &self.spans[span_index];
        let rows = &self.path_rows[span_index];
        let positions = rows.len();
        let gather = |source: &[E]| -> Vec<E> {
            let mut gathered = Vec::with_capacity(positions * dim);
            for row in rows {
                let at = (*row as usize * kv_heads + kv_head) * dim;
                gathered.extend_from_slice(&source[at..at + dim]);
            }
            gathered
        };
        let (keys, values) = (gather(self.keys), gather(self.values));
        let panels = |columns, reduction| Panels::<E>::zeros(columns, reduction);
        let (mut keys_across, mut values_across, mut keys_down) =
            (panels(positions, dim), panels(positions, dim), panels(dim, positions));
        pack_rows(&alone, &keys, dim, dim, &mut keys_across);
        pack_rows(&alone, &values, dim, dim, &mut values_across);
        pack_columns(&alone, &keys, dim, positions, &mut keys_down);
        let mut result = PathGradient { keys: vec![0.0; positions * dim], values: vec![0.0; positions * dim] };
        let width = heads * dim;
        let stride = dim.next_multiple_of(E::GROUP);
        let (mut queries, mut d_outputs, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
        let (mut scores, mut d_scores, mut d_block) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weights, mut d_rounded) = (Vec::new(), Vec::new());
        let (mut across, mut down) = (panels(0, 0), panels(0, 0));
        let mut out = vec![0.0f32; dim];
        for head in kv_head * group..(kv_head + 1) * group {
            for from in (0..span.rows).step_by(BLOCK) {
                let count = (span.rows - from).min(BLOCK);
                let row = |i: usize| span.first_row + from + i;
                // Keys that no query of the block sees are left out.
                let seen = (0..count).map(|i| span.keys(span.start + from + i, self.window).end).max().unwrap_or(0);
                let columns = seen.next_multiple_of(E::GROUP);
                zeroed(&mut queries, count * stride);
                zeroed(&mut d_outputs, count * stride);
                zeroed(&mut deltas, count);
                for (i, delta) in deltas.iter_mut().enumerate() {
                    let range = row(i) * width + head * dim..row(i) * width + (head + 1) * dim;
                    queries[i * stride..i * stride + dim].copy_from_slice(&self.queries[range.clone()]);
                    convert_row(&d_out[range.clone()], &mut d_outputs[i * stride..(i + 1) * stride]);
                    widen_row(&self.out[range.clone()], &mut out);
                    *delta = dot(&d_out[range], &out);
                }
                zeroed(&mut scores, count * columns);
                zeroed(&mut d_scores, count * columns);
                for (left, panels, total) in
                    [(&queries, &keys_across, &mut scores), (&d_outputs, &values_across, &mut d_scores)]
                {
                    let left = Rows { data: left, rows: count, stride };
                    let total = Output { data: total, stride: columns, offset: 0 };
                    gemm(&alone, left, panels.view().with_columns(seen), total, false);
                }
                zeroed(&mut weights, count * columns);
                zeroed(&mut d_rounded, count * columns);
                for (i, &delta) in deltas.iter().enumerate() {
                    let range = span.keys(span.start + from + i, self.window);
                    let (low, high) = (i * columns + range.start, i * columns + range.end);
                    let log_sum = self.log_sums[row(i) * heads + head];
                    let (scores, d_scores) = (&mut scores[low..high], &mut d_scores[low..high]);
                    softmax_backward_row(scores, d_scores, self.heads.scale(), log_sum, delta);
                    convert_row(scores, &mut weights[low..high]);
                    convert_row(d_scores, &mut d_rounded[low..high]);
                }
                zeroed(&mut d_block, count * dim);
                let d_rows = Rows { data: &d_rounded, rows: count, stride: columns };
                let keys_seen = keys_down.view().with_reduction(seen);
                gemm(&alone, d_rows, keys_seen, Output { data: &mut d_block, stride: dim, offset: 0 }, false);
                for i in 0..count {
                    // SAFETY: one task writes the part of a row and head.
                    let to = unsafe { d_queries.get(row(i) * width + head * dim, dim) };
                    to.copy_from_slice(&d_block[i * dim..(i + 1) * dim]);
                }
                across.reshape(seen, count);
                down.reshape(dim, count);
                for (left, right, total) in
                    [(&d_rounded, &queries, &mut result.keys), (&weights, &d_outputs, &mut result.values)]
                {
                    pack_columns(&alone, left, columns, count, &mut across);
                    pack_columns(&alone, right, stride, count, &mut down);
                    gemm_packed(
                        &alone,
                        across.view(),
                        down.view(),
                        Output { data: total, stride: dim, offset: 0 },
                        true,
                    );
                }
            }
        }
        result
    }
}

/// `length` zeros in a buffer's own memory.
fn zeroed<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) {
    buffer.clear();
    buffer.resize(length, T::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_take_every_span_once_and_bound_their_paths() {
        // A trunk of 1000 rows and 64 branches of 10 on it: 65 spans, 1640 rows.
        let mut lengths = vec![1000];
        lengths.extend([1010; 64]);
        let groups = groups(&lengths, 1640, 2);
        assert_eq!(groups.iter().cloned().flatten().collect::<Vec<_>>(), (0..65).collect::<Vec<_>>());
        for group in &groups {
            assert!(lengths[group.clone()].iter().sum::<usize>() <= 2020, "{group:?}");
        }
        assert_eq!(super::groups(&[5, 5, 5], 15, 1), std::iter::once(0..3).collect::<Vec<_>>());
        assert!(super::groups(&[], 0, 2).is_empty());
    }
}
