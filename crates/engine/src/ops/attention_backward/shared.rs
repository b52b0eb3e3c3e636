//! Gradients of keys and values that several paths see: kept by each path, then added in the order of the spans, so that no sum
//! depends on which thread came first. Those that one path alone sees, as most are in a batch of samples, it adds itself.

use std::ops::Range;

use super::scratch::Scratch;
use crate::gemm::{GemmElement, PANEL, transpose_groups};
use crate::memory::prefetch;
use crate::ops::math::add_scaled;
use crate::ops::pages::Heads;
use crate::pool::{Parts, Pool};

/// Rows of the batch that a task adds to next to each other.
const STRIPE: usize = 8;

/// Tasks for each thread, so that they even out.
const TASKS_OF_THREAD: usize = 4;

pub(super) struct Shared<'a> {
    heads: Heads,
    path_rows: &'a [Vec<u32>],
    /// How often each row of the batch is on a path.
    counts: Vec<u32>,
}

impl<'a> Shared<'a> {
    pub fn new(heads: Heads, path_rows: &'a [Vec<u32>], rows: usize) -> Self {
        let mut counts = vec![0; rows];
        path_rows.iter().flatten().for_each(|row| counts[*row as usize] += 1);
        Self { heads, path_rows, counts }
    }

    /// Those rows of a path that are not its alone.
    fn rows(&self, path: usize) -> impl Iterator<Item = usize> {
        self.path_rows[path].iter().map(|row| *row as usize).filter(|row| self.counts[*row] > 1)
    }

    /// How many those are for each path.
    pub fn lengths(&self) -> Vec<usize> {
        (0..self.path_rows.len()).map(|path| self.rows(path).count()).collect()
    }

    /// Where what each path of a group keeps starts, and the last one's ends: [kv_heads, 2, shared rows, head_dim] each.
    pub fn starts(&self, group: Range<usize>) -> Vec<usize> {
        let row = 2 * self.heads.kv_heads * self.heads.dim;
        let mut starts = vec![0];
        starts.extend(group.scan(0, |total, path| {
            *total += self.rows(path).count() * row;
            Some(*total)
        }));
        starts
    }

    /// Asks for the totals that `take` adds to.
    ///
    /// # Safety
    /// As `take`.
    pub unsafe fn prefetch(&self, path: usize, kv_head: usize, totals: [Parts<f32>; 2]) {
        let Heads { kv_heads, dim, .. } = self.heads;
        for row in self.path_rows[path].iter().map(|row| *row as usize).filter(|row| self.counts[*row] == 1) {
            for total in totals {
                // SAFETY: by this function's contract.
                prefetch(unsafe { total.get((row * kv_heads + kv_head) * dim, dim) });
            }
        }
    }

    /// Takes the gradients of a path and kv head from its scratch: adds them to the totals of keys and values, [rows, kv_heads *
    /// head_dim], where the path alone sees them, else writes them to `kept`, [2, shared rows, head_dim].
    ///
    /// # Safety
    /// No other thread uses that head of the rows that the path alone sees.
    pub unsafe fn take<E: GemmElement>(
        &self,
        path: usize,
        kv_head: usize,
        scratch: &mut Scratch<E>,
        totals: [Parts<f32>; 2],
        kept: &mut [f32],
    ) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let rows = &self.path_rows[path];
        let columns = rows.len().next_multiple_of(PANEL);
        let Scratch { d_keys, d_values, d_rows, .. } = scratch;
        let mut kept = kept.chunks_exact_mut(dim);
        for (turned, total) in [d_keys, d_values].into_iter().zip(totals) {
            for (panel, rows) in rows.chunks(PANEL).enumerate() {
                transpose_groups(&turned[panel * PANEL..], columns, dim, PANEL, d_rows, dim);
                for (row, from) in rows.iter().zip(d_rows.chunks_exact(dim)) {
                    let row = *row as usize;
                    if self.counts[row] == 1 {
                        // SAFETY: by this function's contract.
                        add_scaled(unsafe { total.get((row * kv_heads + kv_head) * dim, dim) }, from, 1.0);
                    } else if let Some(kept) = kept.next() {
                        kept.copy_from_slice(from);
                    }
                }
            }
        }
    }

    /// Adds what the paths of a group kept to the totals, where several paths see a key in the order of the spans.
    pub fn add(&self, pool: &Pool, group: Range<usize>, starts: &[usize], kept: &[f32], totals: [Parts<f32>; 2]) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let parts = (TASKS_OF_THREAD * pool.threads()).div_ceil(2 * kv_heads);
        pool.run(2 * kv_heads * parts, &|task| {
            let (part, matrix) = (task % parts, task / parts);
            let (head, total) = (matrix / 2, totals[matrix % 2]);
            for (path, start) in group.clone().zip(starts.windows(2)) {
                let length = (start[1] - start[0]) / (2 * kv_heads);
                let kept = &kept[start[0] + matrix * length..][..length];
                for (row, from) in self.rows(path).zip(kept.chunks_exact(dim)) {
                    if row / STRIPE % parts == part {
                        // SAFETY: each task has its own head of its own rows of one matrix.
                        add_scaled(unsafe { total.get((row * kv_heads + head) * dim, dim) }, from, 1.0);
                    }
                }
            }
        });
    }
}

/// Cuts spans, whose paths have these lengths, into runs whose paths together are no longer than the batch or than one of
/// the longest for each thread: the memory of path gradients is then bounded, however many spans share a beginning.
pub(super) fn groups(lengths: &[usize], rows: usize, threads: usize) -> Vec<Range<usize>> {
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
