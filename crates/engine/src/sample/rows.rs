//! The rows of one step: a token of every running sample, and chunks of the prompts that are still to be read.

use std::sync::Arc;

use super::memory::KeyValueMemory;
use super::request::SampleRequest;
use super::scheduler::Scheduler;
use crate::gemm::GemmElement;
use crate::model::adapter::Adapter;
use crate::model::forward::Batch;
use crate::ops::attention::{Mask, Span};
use crate::ops::pages::{PAGE, PageWrite};

/// Rows of prompts that a step reads at most, so that running samples are not kept waiting for long.
const PROMPT_ROWS: usize = 512;

/// What a row of a step belongs to: a running sample, or so many rows of an active request's prompt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waiter {
    Sample(usize),
    Prompt(usize, usize),
}

/// Waiters of one adapter: its version, itself, and they.
type AdapterGroup<E> = (u64, Option<Arc<Adapter<E>>>, Vec<Waiter>);

/// The rows of a step.
pub(super) struct Work<E> {
    pub batch: Batch<E>,
    /// What each span of the batch belongs to.
    pub waiters: Vec<Waiter>,
    /// Rows whose logits are wanted, and by whom.
    pub heads: Vec<(u32, Waiter)>,
    /// Active requests and the rows of their prompts that the step reads.
    pub prompts: Vec<(usize, usize)>,
}

impl<E: GemmElement> Scheduler<E> {
    /// The rows of a step, grouped by adapter.
    pub(super) fn build(&mut self, memory: &mut KeyValueMemory<E>) -> Work<E> {
        let chunks = self.chunks(memory);
        let mut groups: Vec<AdapterGroup<E>> = Vec::new();
        let mut join = |request: &SampleRequest<E>, waiter: Waiter| match groups
            .iter_mut()
            .find(|group| group.0 == request.adapter_version)
        {
            Some(group) => group.2.push(waiter),
            None => groups.push((request.adapter_version, request.adapter.clone(), vec![waiter])),
        };
        for (at, run) in self.running.iter().enumerate() {
            if let Some(request) = self.active.iter().find(|request| request.ask.id == run.request) {
                join(&request.ask, Waiter::Sample(at));
            }
        }
        for (index, rows) in chunks {
            join(&self.active[index].ask, Waiter::Prompt(index, rows));
        }
        let mut batch = Batch {
            tokens: Vec::new(),
            positions: Vec::new(),
            spans: Vec::new(),
            writes: Vec::new(),
            adapted: Vec::new(),
        };
        let (mut all, mut heads, mut prompts) = (Vec::new(), Vec::new(), Vec::new());
        for (_, adapter, waiters) in groups {
            let first = batch.tokens.len();
            for waiter in waiters {
                self.add_rows(&mut batch, waiter, memory);
                all.push(waiter);
                if let Waiter::Prompt(index, rows) = waiter {
                    prompts.push((index, rows));
                }
                if self.wants_logits(waiter) {
                    heads.push((batch.tokens.len() as u32 - 1, waiter));
                }
            }
            batch.adapted.extend(adapter.map(|adapter| (first..batch.tokens.len(), adapter)));
        }
        Work { batch, waiters: all, heads, prompts }
    }

    /// Active requests and how many rows of their prompts to read now. What is known by now, since another request read it,
    /// is shared; a request waits for an earlier one that is about to read its next page.
    fn chunks(&mut self, memory: &mut KeyValueMemory<E>) -> Vec<(usize, usize)> {
        let mut room = PROMPT_ROWS;
        let mut chunks = Vec::new();
        for index in 0..self.active.len() {
            if self.active[index].ready.is_some() {
                continue;
            }
            self.adopt(index, memory);
            let request = &self.active[index];
            let rows = (request.ask.prompt.len() - request.read).min(room);
            if rows > 0 && !self.is_read_by_another(index) {
                chunks.push((index, rows));
                room -= rows;
            }
        }
        chunks
    }

    /// Replaces a prompt's pages that are still to be read by ones that are known.
    fn adopt(&mut self, index: usize, memory: &mut KeyValueMemory<E>) {
        let request = &mut self.active[index];
        let prompt = &request.ask.prompt;
        let found = memory.table.lookup(request.version, &prompt[..prompt.len() - 1]);
        for (own, &known) in request.prompt_pages.iter_mut().zip(&found).skip(request.read / PAGE) {
            memory.table.share(known);
            memory.table.release(std::mem::replace(own, known));
        }
        request.read = request.read.max(found.len() * PAGE);
    }

    /// Whether an earlier request will read the next page of this one's prompt.
    fn is_read_by_another(&self, index: usize) -> bool {
        let request = &self.active[index];
        let prompt = &request.ask.prompt;
        let next = (request.read / PAGE + 1) * PAGE;
        next < prompt.len()
            && self.active[..index].iter().any(|earlier| {
                earlier.ready.is_none()
                    && earlier.version == request.version
                    && earlier.ask.prompt.get(..next) == Some(&prompt[..next])
            })
    }

    fn wants_logits(&self, waiter: Waiter) -> bool {
        match waiter {
            Waiter::Sample(_) => true,
            Waiter::Prompt(index, rows) => self.active[index].read + rows == self.active[index].ask.prompt.len(),
        }
    }

    fn add_rows(&mut self, batch: &mut Batch<E>, waiter: Waiter, memory: &mut KeyValueMemory<E>) {
        let (start, rows) = match waiter {
            Waiter::Sample(at) => (self.running[at].tokens.len() - 1, 1),
            Waiter::Prompt(index, rows) => (self.active[index].read, rows),
        };
        if let Waiter::Sample(at) = waiter
            && start / PAGE == self.running[at].pages.len()
        {
            let page = memory.take();
            self.running[at].pages.push(page);
            self.running[at].reserved -= 1;
            memory.reserved -= 1;
        }
        let (tokens, pages) = match waiter {
            Waiter::Sample(at) => (&self.running[at].tokens, &self.running[at].pages),
            Waiter::Prompt(index, _) => (&self.active[index].ask.prompt, &self.active[index].prompt_pages),
        };
        let first_row = batch.tokens.len();
        for position in start..start + rows {
            let row = batch.tokens.len() as u32;
            batch.tokens.push(tokens[position]);
            batch.positions.push(position as u32);
            batch.writes.push(PageWrite { row, page: pages[position / PAGE], slot: (position % PAGE) as u32 });
        }
        let pages = pages[..(start + rows).div_ceil(PAGE)].to_vec();
        batch.spans.push(Span { first_row, rows, start, pages, mask: Mask::Causal });
    }
}
