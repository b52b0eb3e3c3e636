//! Attention of a few query rows that see the same pages.

use crate::gemm::{GemmElement, MAX_TILE_ROWS, PANEL, run_tile};
use crate::memory::grow;
use crate::ops::ahead::Ahead;
use crate::ops::attention::{Attention, Task};
use crate::ops::pages::{Heads, PAGE, SharedPages};
use crate::ops::softmax::softmax_row;
use crate::pool::Parts;

/// What a tile computes in, kept from one to the next and overwritten by each.
#[derive(Default)]
pub struct Scratch<E> {
    scores: Vec<f32>,
    weights: Vec<E>,
    sums: Vec<f32>,
}

/// Rows `from..to` of a task; its rows are either rows of one head or heads of one row.
pub struct Tile<'a> {
    pub task: &'a Task,
    pub from: usize,
    pub to: usize,
    /// Whether it is the first to read its pages.
    pub fresh: bool,
}

impl Tile<'_> {
    #[inline(always)]
    pub fn run<const FMA: bool, E: GemmElement>(
        &self,
        attention: &Attention<'_, E>,
        pages: SharedPages<E>,
        scratch: &mut Scratch<E>,
        ahead: &mut Ahead<E, impl Iterator<Item = *const [E]>>,
        out: Parts<E>,
        log_sums: Option<Parts<f32>>,
    ) {
        let &Self { task, from, to, fresh } = self;
        let Attention { layer, window, .. } = *attention;
        let Heads { heads, dim, .. } = attention.heads;
        let (padded, scale, kv_head) =
            (attention.heads.padded(), attention.heads.scale(), task.first_head / attention.heads.group());
        let span = &attention.spans[task.span];
        let seen = attention.pages_seen(span, from, to);
        let (first_position, columns) = (seen.start * PAGE, seen.len() * PAGE);
        let several_heads = task.heads > 1;
        let count = if several_heads { task.heads } else { to - from };
        // From one row of the tile to the next: in queries and outputs, and in sums.
        let (stride, entry_stride) = if several_heads { (dim, 1) } else { (heads * dim, heads) };
        let entry = (span.first_row + from) * heads + task.first_head;
        let kernel = E::kernel();

        let Scratch { scores, weights, sums } = scratch;
        grow(scores, count * columns);
        grow(weights, count * columns);
        grow(sums, count * padded);
        let queries = &attention.queries[entry * dim..];
        for (index, &page) in span.pages[seen.clone()].iter().enumerate() {
            // SAFETY: who writes to a page's head has done so, or is this task. The tile's scores are its own and hold `count` rows of
            // `columns`.
            let panel = unsafe {
                let panel = pages.keys(layer, page as usize, kv_head);
                let to = scores.as_mut_ptr().add(index * PAGE);
                run_tile(kernel, count, dim, queries, stride, panel, to, columns, PAGE, false);
                panel
            };
            if fresh {
                ahead.used(panel);
            }
            ahead.step();
        }

        let mut inverse_sums = [0.0f32; MAX_TILE_ROWS];
        for (i, inverse) in inverse_sums.iter_mut().enumerate().take(count) {
            let position = span.start + from + if several_heads { 0 } else { i };
            let keys = span.keys(position, window);
            let keys = keys.start - first_position..keys.end - first_position;
            let row = i * columns..(i + 1) * columns;
            let (max, sum) = softmax_row::<E, FMA>(&scores[row.clone()], keys, scale, &mut weights[row]);
            *inverse = 1.0 / sum;
            if let Some(log_sums) = log_sums {
                // SAFETY: one tile writes the entry of a row and head.
                unsafe { log_sums.get(entry + i * entry_stride, 1)[0] = max + sum.ln() };
            }
            ahead.step();
        }

        for (index, &page) in span.pages[seen].iter().enumerate() {
            // SAFETY: as above.
            let values = unsafe { pages.values(layer, page as usize, kv_head) };
            for (part, panel) in values.chunks_exact(PANEL * PAGE).enumerate() {
                // SAFETY: the tile's sums are this task's own and hold `count` rows of `padded`.
                unsafe {
                    let to = sums.as_mut_ptr().add(part * PANEL);
                    let weights = &weights[index * PAGE..];
                    run_tile(kernel, count, PAGE, weights, columns, panel, to, padded, PANEL, index > 0);
                }
                ahead.step();
            }
            if fresh {
                ahead.used(values);
            }
        }
        for (i, inverse) in inverse_sums.iter().enumerate().take(count) {
            // SAFETY: one tile writes the part of a row and head.
            let to = unsafe { out.get(entry * dim + i * stride, dim) };
            let sums = &sums[i * padded..][..dim];
            for d in 0..dim {
                to[d] = E::from_f32(sums[d] * inverse);
            }
        }
    }
}
