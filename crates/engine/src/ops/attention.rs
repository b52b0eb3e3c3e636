//! Attention over pages of keys and values. One kernel serves sampling and training, and every mask: a query sees the keys
//! of one range of positions along its own path.

use crate::gemm::{GemmElement, MAX_TILE_ROWS, PANEL, run_tile};
use crate::isa::by_isa;
use crate::memory::prefetch;
use crate::ops::convert_row;
use crate::ops::math::{exp, max_of, sum_of};
use crate::ops::pages::{Heads, PAGE, Pages};
use crate::pool::{Parts, Pool};

/// Tiles of query rows in a task.
const TASK_TILES: usize = 4;

/// Parts of the tasks for each thread: enough to even out, few enough that a part's tasks share their scratch and know the next one.
const PARTS_OF_THREAD: usize = 16;

/// Pages asked for ahead of their use at most: in bf16 and with 64-dimensional heads a quarter of a 2 MiB L2 cache.
const PAGES_AHEAD: usize = 128;

/// Which keys a query sees, before the sliding window of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Itself and what comes before.
    Causal,
    /// The whole row (masked language models).
    Bidirectional,
    /// The first positions whole, itself and what comes before.
    Prefix(usize),
}

/// Rows with consecutive positions on one path of the batch.
#[derive(Debug, Clone)]
pub struct Span {
    pub first_row: usize,
    pub rows: usize,
    /// Position of the first row.
    pub start: usize,
    /// The pages of positions 0 to the span's end.
    pub pages: Vec<u32>,
    pub mask: Mask,
}

impl Span {
    pub fn end(&self) -> usize {
        self.start + self.rows
    }

    /// The range of positions that the query at `position` sees.
    pub fn keys(&self, position: usize, window: Option<usize>) -> std::ops::Range<usize> {
        let end = match self.mask {
            Mask::Causal => position + 1,
            Mask::Bidirectional => self.end(),
            Mask::Prefix(length) => (position + 1).max(length.min(self.end())),
        };
        // Like Hugging Face's masks: `window` positions counting the query's own; keys ahead are not limited.
        let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
        first..end
    }
}

by_isa! {
    /// Scales scores and turns them into exp(score - max); gives back (max, sum).
    fn softmax_row(scores: &mut [f32], scale: f32) -> (f32, f32) {
        for score in scores.iter_mut() {
            *score *= scale;
        }
        let max = max_of(scores.len(), |i| scores[i]);
        for score in scores.iter_mut() {
            *score = exp::<FMA>(*score - max);
        }
        let sum = sum_of(scores.len(), |i| scores[i]);
        (max, sum)
    }
}

/// What attention reads: queries [rows, heads * head_dim] after RoPE, and the pages of one layer.
pub struct Attention<'a, E> {
    pub heads: Heads,
    pub layer: usize,
    pub window: Option<usize>,
    pub spans: &'a [Span],
    pub queries: &'a [E],
    pub pages: &'a Pages<E>,
}

/// What a tile computes in, kept from one to the next and overwritten whole by each.
struct Scratch<E> {
    scores: Vec<f32>,
    weights: Vec<E>,
    sums: Vec<f32>,
}

/// One task: query heads `first_head..first_head + heads` of rows `from..to` of a span. A single row runs with its whole
/// head group as the tile; more rows run head by head.
struct Task {
    span: usize,
    from: usize,
    to: usize,
    first_head: usize,
    heads: usize,
}

impl<E: GemmElement> Attention<'_, E> {
    fn tasks(&self) -> Vec<Task> {
        let Heads { heads, kv_heads, .. } = self.heads;
        let (group, task_rows) = (self.heads.group(), TASK_TILES * E::tile_rows());
        let mut tasks = Vec::new();
        for (index, span) in self.spans.iter().enumerate() {
            if span.rows == 1 && group <= E::tile_rows() {
                let whole =
                    (0..kv_heads).map(|kv| Task { span: index, from: 0, to: 1, first_head: kv * group, heads: group });
                tasks.extend(whole);
                continue;
            }
            for head in 0..heads {
                for from in (0..span.rows).step_by(task_rows) {
                    let to = (from + task_rows).min(span.rows);
                    tasks.push(Task { span: index, from, to, first_head: head, heads: 1 });
                }
            }
        }
        tasks
    }

    /// Writes [rows, heads * head_dim] and, where asked, the logarithm of each softmax's denominator, [rows, heads].
    pub fn forward(&self, pool: &Pool, out: &mut [E], log_sums: Option<&mut [f32]>) {
        let tasks = self.tasks();
        let out = Parts::new(out);
        let log_sums = log_sums.map(Parts::new);
        let at_a_time = tasks.len().div_ceil(PARTS_OF_THREAD * pool.threads()).max(1);
        pool.run(tasks.len().div_ceil(at_a_time), &|part| {
            let mut scratch = Scratch { scores: Vec::new(), weights: Vec::new(), sums: Vec::new() };
            let part = &tasks[part * at_a_time..((part + 1) * at_a_time).min(tasks.len())];
            for (index, task) in part.iter().enumerate() {
                if let Some(next) = part.get(index + 1) {
                    self.prefetch_keys(next, task);
                }
                let mut from = task.from;
                while from < task.to {
                    let to = (from + E::tile_rows()).min(task.to);
                    self.tile(task, from, to, &mut scratch, out, log_sums);
                    from = to;
                }
            }
        });
    }

    /// Asks for the keys of a task, but for those of the one before, which are at hand.
    fn prefetch_keys(&self, task: &Task, before: &Task) {
        let kv_head = task.first_head / self.heads.group();
        if task.span == before.span && kv_head == before.first_head / self.heads.group() {
            return;
        }
        let span = &self.spans[task.span];
        let first = span.keys(span.start + task.from, self.window).start / PAGE;
        let last = span.keys(span.start + task.to - 1, self.window).end.div_ceil(PAGE);
        for &page in span.pages[first..last].iter().take(PAGES_AHEAD) {
            prefetch(self.pages.keys(self.layer, page as usize, kv_head));
        }
    }

    fn tile(
        &self,
        task: &Task,
        from: usize,
        to: usize,
        scratch: &mut Scratch<E>,
        out: Parts<E>,
        log_sums: Option<Parts<f32>>,
    ) {
        let Heads { heads, dim, .. } = self.heads;
        let padded = self.heads.padded();
        let span = &self.spans[task.span];
        let kv_head = task.first_head / self.heads.group();
        let width = heads * dim;
        // Row `i` of the tile is (row, head): either rows of one head or heads of one row.
        let count = (to - from) * task.heads;
        let place = |i: usize| (span.first_row + from + i / task.heads, task.first_head + i % task.heads);
        let stride = if task.heads > 1 { dim } else { width };
        let keys = |i: usize| span.keys(span.start + from + i / task.heads, self.window);
        let first_page = (0..count).map(|i| keys(i).start).min().unwrap_or(0) / PAGE;
        let last_page = (0..count).map(|i| keys(i).end).max().unwrap_or(0).div_ceil(PAGE);
        for &page in span.pages[first_page..last_page].iter().take(PAGES_AHEAD) {
            prefetch(self.pages.values(self.layer, page as usize, kv_head));
        }
        let columns = (last_page - first_page) * PAGE;
        let kernel = E::kernel();
        let (row, head) = place(0);
        let queries = &self.queries[row * width + head * dim..];
        let Scratch { scores, weights, sums } = scratch;
        scores.resize(count * columns, 0.0);
        for page in first_page..last_page {
            let panel = self.pages.keys(self.layer, span.pages[page] as usize, kv_head);
            let at = (page - first_page) * PAGE;
            // SAFETY: the tile's scores are this task's own and hold `count` rows of `columns`.
            unsafe {
                let to = scores.as_mut_ptr().add(at);
                run_tile(kernel, count, dim, queries, stride, panel, to, columns, PAGE, false);
            }
        }
        weights.resize(count * columns, E::default());
        let mut inverse_sums = [0.0f32; MAX_TILE_ROWS];
        for i in 0..count {
            let range = keys(i);
            let (start, end) = (range.start - first_page * PAGE, range.end - first_page * PAGE);
            let row_scores = &mut scores[i * columns + start..i * columns + end];
            let (max, sum) = softmax_row(row_scores, self.heads.scale());
            inverse_sums[i] = 1.0 / sum;
            // What lies beyond the row's keys weighs nothing.
            let row_weights = &mut weights[i * columns..(i + 1) * columns];
            row_weights[..start].fill(E::default());
            convert_row(row_scores, &mut row_weights[start..]);
            if let Some(log_sums) = log_sums {
                let (row, head) = place(i);
                // SAFETY: one tile writes the entry of a row and head.
                unsafe { log_sums.get(row * heads + head, 1)[0] = max + sum.ln() };
            }
        }
        sums.resize(count * padded, 0.0);
        for page in first_page..last_page {
            let values = self.pages.values(self.layer, span.pages[page] as usize, kv_head);
            let at = (page - first_page) * PAGE;
            for (index, panel) in values.chunks_exact(PANEL * PAGE).enumerate() {
                // SAFETY: the tile's sums are this task's own and hold `count` rows of `padded`.
                unsafe {
                    let to = sums.as_mut_ptr().add(index * PANEL);
                    run_tile(kernel, count, PAGE, &weights[at..], columns, panel, to, padded, PANEL, page > first_page);
                }
            }
        }
        for i in 0..count {
            let (row, head) = place(i);
            let values = &mut sums[i * padded..i * padded + dim];
            values.iter_mut().for_each(|value| *value *= inverse_sums[i]);
            // SAFETY: one tile writes the part of a row and head.
            convert_row(values, unsafe { out.get(row * width + head * dim, dim) });
        }
    }
}
