//! Attention over pages of keys and values. One kernel serves sampling and training, and every mask: a query sees the keys
//! of one range of positions along its own path.

use std::ops::Range;

use crate::gemm::{GemmElement, PANEL};
use crate::isa::by_isa;
use crate::ops::ahead::Ahead;
use crate::ops::attention_tile::{Scratch, Tile};
use crate::ops::pages::{Heads, NewRows, PAGE, PageWrite, Pages, SharedPages};
use crate::pool::{Parts, Pool};

/// Tiles of query rows in a task.
const TASK_TILES: usize = 4;

/// Parts of the tasks for each thread: enough to even out, few enough that a part's tasks share their scratch and know the next one.
const PARTS_OF_THREAD: usize = 8;

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
    pub fn keys(&self, position: usize, window: Option<usize>) -> Range<usize> {
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

/// What attention reads: queries [rows, heads * head_dim] after RoPE, and the pages of one layer, to which the keys and values of these rows
/// are written first.
pub struct Attention<'a, E> {
    pub heads: Heads,
    pub layer: usize,
    pub window: Option<usize>,
    pub spans: &'a [Span],
    pub queries: &'a [E],
    pub rows: NewRows<'a, E>,
}

/// One task: query heads `first_head..first_head + heads` of rows `from..to` of a span. A single row runs with its whole
/// head group as the tile; more rows run head by head.
pub(super) struct Task {
    pub span: usize,
    pub from: usize,
    pub to: usize,
    pub first_head: usize,
    pub heads: usize,
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

    /// Whether each task alone reads the page that its row goes to: it can then write the row itself, to a page that is at hand.
    fn tasks_write(&self) -> bool {
        let (spans, writes) = (self.spans, self.rows.writes);
        let ends = |(span, write): (&Span, &PageWrite)| {
            let row = (span.rows == 1).then_some(span.first_row as u32);
            (row, span.pages.last()) == (Some(write.row), Some(&write.page))
        };
        if spans.len() != writes.len() || self.heads.group() > E::tile_rows() || !spans.iter().zip(writes).all(ends) {
            return false;
        }
        let read = || spans.iter().flat_map(|span| &span.pages).map(|page| *page as usize);
        let mut readers = vec![0u32; read().max().map_or(0, |last| last + 1)];
        read().for_each(|page| readers[page] += 1);
        writes.iter().all(|write| readers[write.page as usize] == 1)
    }

    /// Writes the rows to their pages of the layer, then [rows, heads * head_dim] and, where asked, the logarithm of each softmax's
    /// denominator, [rows, heads].
    pub fn forward(&self, pool: &Pool, pages: &mut Pages<E>, out: &mut [E], log_sums: Option<&mut [f32]>) {
        let width = self.heads.heads * self.heads.dim;
        let held = |span: &Span| (span.first_row + span.rows) * width <= self.queries.len();
        assert!(self.spans.iter().all(held), "a span has rows without queries");
        let tasks = self.tasks();
        let writes = self.tasks_write();
        if !writes {
            pages.write(pool, self.layer, self.rows);
        }
        let pages = pages.share();
        let (out, log_sums) = (Parts::new(out), log_sums.map(Parts::new));
        let at_a_time = tasks.len().div_ceil(PARTS_OF_THREAD * pool.threads()).max(1);
        pool.run(tasks.len().div_ceil(at_a_time), &|part| {
            run_tasks(
                self,
                pages,
                writes,
                &tasks[part * at_a_time..((part + 1) * at_a_time).min(tasks.len())],
                out,
                log_sums,
            );
        });
    }

    /// Writes the one row of a task's span, of the head that the task reads.
    fn write_row(&self, pages: SharedPages<E>, task: &Task) {
        let writes = &self.rows.writes[task.span..=task.span];
        let head = task.first_head / self.heads.group();
        for panel in 0..self.heads.dim.div_ceil(PANEL) {
            // SAFETY: the task alone uses that page's head, by `tasks_write`.
            unsafe { pages.write_panel(self.layer, head, panel, NewRows { writes, ..self.rows }) };
        }
    }

    /// Pages of what the rows `from..to` of a span see.
    #[inline(always)]
    pub(super) fn pages_seen(&self, span: &Span, from: usize, to: usize) -> Range<usize> {
        // Later rows begin and end no earlier.
        let first = span.keys(span.start + from, self.window).start / PAGE;
        let last = span.keys(span.start + to - 1, self.window).end.div_ceil(PAGE);
        first..last
    }

    /// Whether a task reads the pages of the one before it.
    fn shares_pages(&self, tasks: &[Task], index: usize) -> bool {
        let kv_head = |task: &Task| task.first_head / self.heads.group();
        let (task, before) = (&tasks[index], index.checked_sub(1).map(|before| &tasks[before]));
        before.is_some_and(|before| task.span == before.span && kv_head(task) == kv_head(before))
    }

    /// The keys and values that tasks read, in the order in which they do, to be asked for ahead: where they lie, not what they are.
    fn panels<'a>(&'a self, pages: SharedPages<E>, tasks: &'a [Task]) -> impl Iterator<Item = *const [E]> {
        let fresh = (0..tasks.len()).filter(|&index| !self.shares_pages(tasks, index));
        fresh.flat_map(move |index| {
            let Task { span, from, to, first_head, .. } = tasks[index];
            let (span, kv_head) = (&self.spans[span], first_head / self.heads.group());
            let seen = &span.pages[self.pages_seen(span, from, to.min(from + E::tile_rows()))];
            let keys = seen.iter().map(move |&page| pages.place_of_keys(self.layer, page as usize, kv_head));
            let values = seen.iter().map(move |&page| pages.place_of_values(self.layer, page as usize, kv_head));
            keys.chain(values)
        })
    }
}

by_isa! {
    /// Tasks of one thread, one after another.
    fn run_tasks<E: GemmElement>(
        attention: &Attention<'_, E>,
        pages: SharedPages<E>,
        writes: bool,
        tasks: &[Task],
        out: Parts<E>,
        log_sums: Option<Parts<f32>>,
    ) {
        let mut scratch = Scratch::<E>::default();
        let mut ahead = Ahead::new(attention.panels(pages, tasks));
        for (index, task) in tasks.iter().enumerate() {
            let fresh = !attention.shares_pages(tasks, index);
            if writes {
                attention.write_row(pages, task);
            }
            let mut from = task.from;
            while from < task.to {
                let to = (from + E::tile_rows()).min(task.to);
                let tile = Tile { task, from, to, fresh: fresh && from == task.from };
                tile.run::<FMA, E>(attention, pages, &mut scratch, &mut ahead, out, log_sums);
                from = to;
            }
        }
    }
}
