//! Gradients of keys and values that several paths see: kept by each path, then added in the order of the spans, so that no sum
//! depends on which thread came first. Those that one path alone sees, as most are in a batch of samples, it puts where
//! they go itself.

use std::ops::Range;

use super::scratch::Scratch;
use super::target::Target;
use crate::element::Element;
use crate::gemm::{GemmElement, PANEL, transpose_groups};
use crate::ops::for_rows;
use crate::ops::math::add_scaled;
use crate::ops::pages::Heads;
use crate::pool::{Parts, Pool};

/// Shared rows that a task adds to next to each other.
const STRIPE: usize = 8;

/// Tasks for each thread, so that they even out.
const TASKS_OF_THREAD: usize = 4;

pub(super) struct Shared<'a> {
    heads: Heads,
    path_rows: &'a [Vec<u32>],
    /// Rows of the batch that several paths see, and their positions.
    rows: Vec<(usize, usize)>,
    /// Where each row of the batch is among those; `ALONE` where one path sees it.
    places: Vec<u32>,
}

const ALONE: u32 = u32::MAX;

impl<'a> Shared<'a> {
    pub fn new(heads: Heads, path_rows: &'a [Vec<u32>], rows: usize) -> Self {
        let mut seen = vec![(0, 0); rows];
        for path in path_rows {
            path.iter().enumerate().for_each(|(position, row)| {
                let (count, at) = &mut seen[*row as usize];
                (*count, *at) = (*count + 1, position);
            });
        }
        let (mut shared, mut places) = (Vec::new(), vec![ALONE; rows]);
        for (row, (count, position)) in seen.into_iter().enumerate() {
            if count > 1 {
                places[row] = shared.len() as u32;
                shared.push((row, position));
            }
        }
        Self { heads, path_rows, rows: shared, places }
    }

    /// The places of those rows of a path that are not its alone.
    fn places(&self, path: usize) -> impl Iterator<Item = usize> {
        let places = self.path_rows[path].iter().map(|row| self.places[*row as usize]);
        places.filter(|place| *place != ALONE).map(|place| place as usize)
    }

    /// How many those are for each path.
    pub fn lengths(&self) -> Vec<usize> {
        (0..self.path_rows.len()).map(|path| self.places(path).count()).collect()
    }

    /// Where what each path of a group keeps starts, and the last one's ends: [kv_heads, 2, shared rows, head_dim] each.
    pub fn starts(&self, group: Range<usize>) -> Vec<usize> {
        let row = 2 * self.heads.kv_heads * self.heads.dim;
        let mut starts = vec![0];
        starts.extend(group.scan(0, |total, path| {
            *total += self.places(path).count() * row;
            Some(*total)
        }));
        starts
    }

    /// Zeros for the gradients of shared keys, then of shared values, [rows, kv_heads * head_dim] each.
    pub fn totals(&self) -> [Vec<f32>; 2] {
        [0, 1].map(|_| vec![0.0; self.rows.len() * self.heads.kv_heads * self.heads.dim])
    }

    /// The head of the target that has the gradient of a key or value.
    fn target_head(&self, matrix: usize, kv_head: usize) -> usize {
        self.heads.heads + matrix * self.heads.kv_heads + kv_head
    }

    /// Asks for what `take` writes to.
    pub fn prefetch<T: Element>(&self, path: usize, kv_head: usize, target: &Target<'_, T>) {
        for row in self.path_rows[path].iter().map(|row| *row as usize).filter(|row| self.places[*row] == ALONE) {
            (0..2).for_each(|matrix| target.prefetch(row, self.target_head(matrix, kv_head)));
        }
    }

    /// Takes the gradients of a path's keys and values at a kv head from its scratch: puts those that it alone sees
    /// where they go, and writes the others to `kept`, [2, shared rows, head_dim].
    ///
    /// # Safety
    /// No other thread uses that head of the rows that the path alone sees.
    pub unsafe fn take<E: GemmElement, T: Element>(
        &self,
        path: usize,
        kv_head: usize,
        scratch: &mut Scratch<E>,
        target: &Target<'_, T>,
        kept: &mut [f32],
    ) {
        let (dim, rows) = (self.heads.dim, &self.path_rows[path]);
        let columns = rows.len().next_multiple_of(PANEL);
        let Scratch { d_keys, d_values, d_rows, .. } = scratch;
        let mut kept = kept.chunks_exact_mut(dim);
        for (matrix, turned) in [d_keys, d_values].into_iter().enumerate() {
            let head = self.target_head(matrix, kv_head);
            for first in (0..rows.len()).step_by(PANEL) {
                transpose_groups(&turned[first..], columns, dim, PANEL, d_rows, dim);
                for (position, from) in (first..rows.len()).zip(d_rows.chunks_exact(dim)) {
                    let row = rows[position] as usize;
                    if self.places[row] == ALONE {
                        // SAFETY: by this function's contract.
                        unsafe { target.put(row, position, head, from) };
                    } else if let Some(kept) = kept.next() {
                        kept.copy_from_slice(from);
                    }
                }
            }
        }
    }

    /// Adds what the paths of a group kept to the totals, in the order of the spans.
    pub fn add(&self, pool: &Pool, group: Range<usize>, starts: &[usize], kept: &[f32], totals: &mut [Vec<f32>; 2]) {
        let Heads { kv_heads, dim, .. } = self.heads;
        let parts = (TASKS_OF_THREAD * pool.threads()).div_ceil(2 * kv_heads);
        let totals = totals.each_mut().map(|total| Parts::new(total));
        pool.run(2 * kv_heads * parts, &|task| {
            let (part, matrix) = (task % parts, task / parts);
            let (head, total) = (matrix / 2, totals[matrix % 2]);
            for (path, start) in group.clone().zip(starts.windows(2)) {
                let length = (start[1] - start[0]) / (2 * kv_heads);
                let kept = &kept[start[0] + matrix * length..][..length];
                for (place, from) in self.places(path).zip(kept.chunks_exact(dim)) {
                    if place / STRIPE % parts == part {
                        // SAFETY: each task has its own head of its own rows of one matrix.
                        add_scaled(unsafe { total.get((place * kv_heads + head) * dim, dim) }, from, 1.0);
                    }
                }
            }
        });
    }

    /// Puts the totals where they go.
    pub fn put<T: Element>(&self, pool: &Pool, totals: &[Vec<f32>; 2], target: &Target<'_, T>) {
        let Heads { kv_heads, dim, .. } = self.heads;
        for_rows(pool, self.rows.len(), 2 * kv_heads * dim, 0, &|place, _| {
            let (row, position) = self.rows[place];
            for (matrix, total) in totals.iter().enumerate() {
                for (head, gradient) in total[place * kv_heads * dim..].chunks_exact(dim).enumerate().take(kv_heads) {
                    // SAFETY: each task has its own rows.
                    unsafe { target.put(row, position, self.target_head(matrix, head), gradient) };
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
