//! Continuous batching: at every step each running sample gets its next token, and prompts are read in chunks beside
//! them. Requests wait for room; they never fail for lack of it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::choose::{Choice, Picked, choose};
use super::pages::PageTable;
use crate::error::{Error, Result};
use crate::gemm::{GemmElement, Rows};
use crate::model::adapter::Adapter;
use crate::model::buffers::Buffers;
use crate::model::forward::{Batch, PageWrite, Pass, Sizes};
use crate::model::linear::stride_of;
use crate::model::weights::Weights;
use crate::ops::attention::{Mask, PAGE, Pages, Span};
use crate::ops::head::{Queries, head_forward};
use crate::pool::Pool;

/// Rows of prompts that a step reads at most, so that running samples are not kept waiting for long.
const PROMPT_ROWS: usize = 512;

/// Rows for which the head runs at a time: bounds the logits kept.
const HEAD_ROWS: usize = 64;

/// Why a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It drew a stop token.
    Stop,
    /// It has as many tokens as were asked for, or the context is full.
    Length,
    Aborted,
}

/// What happens to the samples of a request, by their number.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Token(usize, Picked),
    End(usize, Finish),
}

/// Samples to draw from one prompt.
pub struct SampleRequest<E> {
    pub id: u64,
    pub prompt: Vec<u32>,
    pub count: usize,
    /// Number of the first sample, so that a request can be split without changing what is drawn.
    pub first_sample: u64,
    pub max_tokens: usize,
    pub choice: Choice,
    pub stop_tokens: Vec<u32>,
    pub adapter: Option<Arc<Adapter<E>>>,
    /// Changes with the adapter's weights.
    pub adapter_version: u64,
    pub on_event: Box<dyn FnMut(Event) + Send>,
}

struct Request<E> {
    ask: SampleRequest<E>,
    /// Prompt positions already in pages.
    read: usize,
    prompt_pages: Vec<u32>,
    /// Set when the prompt has been read: logits after it and the logarithm of their sum.
    ready: Option<(Vec<f32>, f64)>,
    next_sample: usize,
    running: usize,
    /// The first sample's pages, reserved with the prompt.
    holds_first: bool,
    ended: Vec<bool>,
}

struct Running {
    request: u64,
    sample: usize,
    /// Prompt and drawn tokens; all but the last are in pages.
    tokens: Vec<u32>,
    pages: Vec<u32>,
    drawn: usize,
    reserved: usize,
}

/// The samples in flight on one version of the weights.
pub struct Scheduler<E> {
    weights: Weights<E>,
    version: u64,
    pages: Pages<E>,
    table: PageTable,
    reserved: usize,
    waiting: VecDeque<Request<E>>,
    active: Vec<Request<E>>,
    running: Vec<Running>,
}

impl<E: GemmElement> Scheduler<E> {
    /// `kv_bytes` bounds the memory of keys and values.
    pub fn new(weights: Weights<E>, version: u64, kv_bytes: usize) -> Self {
        let heads = Sizes::of(&weights).heads;
        let layers = weights.layout.config.num_layers;
        let limit = (kv_bytes / Pages::<E>::page_bytes(heads, layers)).max(1);
        let pages = Pages::new(heads, layers, 0);
        let table = PageTable::new(limit);
        Self {
            weights,
            version,
            pages,
            table,
            reserved: 0,
            waiting: VecDeque::new(),
            active: Vec::new(),
            running: Vec::new(),
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    /// Queues a request, or says why it can never run.
    pub fn submit(&mut self, ask: SampleRequest<E>) -> Result<()> {
        let config = &self.weights.layout.config;
        let (length, context) = (ask.prompt.len(), config.max_position);
        if length == 0 {
            return Err(Error::new("sample: the prompt has no tokens; it needs at least one"));
        }
        if length >= context {
            return Err(Error::new(format!(
                "sample: the prompt has {length} tokens; the model's context of {context} leaves no room to answer"
            )));
        }
        if let Some(at) = ask.prompt.iter().position(|&token| token as usize >= config.vocab_size) {
            let (token, last) = (ask.prompt[at], config.vocab_size - 1);
            return Err(Error::new(format!("sample: prompt[{at}] is token {token}; the vocabulary has 0 to {last}")));
        }
        if let Some((token, _)) = ask.choice.bias.iter().find(|(token, _)| *token as usize >= config.vocab_size) {
            return Err(Error::new(format!(
                "sample: logitBias has token {token}; the vocabulary has 0 to {}",
                config.vocab_size - 1
            )));
        }
        let needed = length.div_ceil(PAGE) + self.sample_pages(&ask);
        if needed > self.table.limit() {
            let have = self.table.limit() * PAGE;
            let problem = format!(
                "sample: one sample needs room for {} tokens; the key-value memory holds {have}",
                needed * PAGE
            );
            return Err(Error::new(format!(
                "{problem}. Ask for fewer tokens, or raise kvBytes when loading the model"
            )));
        }
        let ended = vec![false; ask.count];
        self.waiting.push_back(Request {
            ask,
            read: 0,
            prompt_pages: Vec::new(),
            ready: None,
            next_sample: 0,
            running: 0,
            holds_first: false,
            ended,
        });
        Ok(())
    }

    /// Pages that one sample adds to its prompt's, at most.
    fn sample_pages(&self, ask: &SampleRequest<E>) -> usize {
        let end = (ask.prompt.len() + ask.max_tokens).min(self.weights.layout.config.max_position);
        end.div_ceil(PAGE) - ask.prompt.len() / PAGE
    }

    /// Ends a sample of a request, or all of them.
    pub fn abort(&mut self, id: u64, sample: Option<usize>) {
        let hits = |request: &Request<E>| request.ask.id == id;
        let count =
            self.waiting.iter().chain(&self.active).find(|request| hits(request)).map(|request| request.ask.count);
        for index in 0..count.unwrap_or(0) {
            if sample.is_none_or(|sample| sample == index) {
                if let Some(at) = self.running.iter().position(|run| run.request == id && run.sample == index) {
                    self.finish(at, Finish::Aborted);
                } else if let Some(request) =
                    self.waiting.iter_mut().chain(&mut self.active).find(|request| hits(request))
                {
                    end(request, index, Finish::Aborted);
                }
            }
        }
        let over = |request: &Request<E>| request.ended.iter().all(|ended| *ended);
        self.waiting.retain(|request| !(hits(request) && over(request)));
        self.retire();
    }

    /// One step of every running sample, and a chunk of the prompts. Gives back whether work is left.
    pub fn step(&mut self, pool: &Pool, free: &mut Buffers<E>) -> bool {
        self.admit();
        self.start_samples();
        self.retire();
        if self.is_idle() {
            return false;
        }
        let work = self.build();
        if !work.batch.tokens.is_empty() {
            self.compute(pool, &work, free);
        }
        self.retire();
        !self.is_idle()
    }

    /// Takes waiting requests in order while their prompt and one sample fit.
    fn admit(&mut self) {
        while let Some(request) = self.waiting.front() {
            let prompt = &request.ask.prompt;
            // The last position is always computed, since its logits are needed.
            let found = self.table.lookup(request.ask.adapter_version, &prompt[..prompt.len() - 1]);
            let idle = found.iter().filter(|&&page| self.table.is_idle(page)).count();
            let fresh = prompt.len().div_ceil(PAGE) - found.len();
            let needed = fresh + idle + self.sample_pages(&request.ask);
            if self.reserved + needed > self.table.available() {
                return;
            }
            let Some(mut request) = self.waiting.pop_front() else { return };
            found.iter().for_each(|&page| self.table.share(page));
            request.read = found.len() * PAGE;
            request.prompt_pages = found;
            for _ in 0..fresh {
                let page = self.take_page();
                request.prompt_pages.push(page);
            }
            self.reserved += self.sample_pages(&request.ask);
            request.holds_first = true;
            self.active.push(request);
        }
    }

    fn take_page(&mut self) -> u32 {
        let page = self.table.take();
        if page as usize >= self.pages.count() {
            let more = (self.pages.count() * 2).clamp(64, self.table.limit().max(64)).min(self.table.limit());
            self.pages.grow(more.max(page as usize + 1));
        }
        self.pages.clear(page as usize);
        page
    }

    /// Starts samples of prompts that have been read, as far as there is room.
    fn start_samples(&mut self) {
        for index in 0..self.active.len() {
            loop {
                let request = &self.active[index];
                let Some((logits, log_sum)) = &request.ready else { break };
                let sample = request.next_sample;
                if sample == request.ask.count {
                    break;
                }
                if request.ended[sample] {
                    self.active[index].next_sample += 1;
                    continue;
                }
                let needed = self.sample_pages(&request.ask);
                if !request.holds_first && self.reserved + needed > self.table.available() {
                    break;
                }
                let number = request.ask.first_sample + sample as u64;
                let picked = choose(logits, *log_sum, &request.ask.choice, number, 0);
                if !request.holds_first {
                    self.reserved += needed;
                }
                self.start(index, sample, needed, picked);
            }
        }
    }

    fn start(&mut self, index: usize, sample: usize, reserved: usize, picked: Picked) {
        let length = self.active[index].ask.prompt.len();
        let mut pages = self.active[index].prompt_pages.clone();
        let partial = (!length.is_multiple_of(PAGE)).then(|| pages.pop()).flatten();
        pages.iter().for_each(|&page| self.table.share(page));
        let mut run = Running {
            request: self.active[index].ask.id,
            sample,
            tokens: self.active[index].ask.prompt.clone(),
            pages,
            drawn: 0,
            reserved,
        };
        if let Some(partial) = partial {
            // The page in which the prompt ends is copied, since the samples go on in it.
            let own = self.take_page();
            self.reserved -= 1;
            run.reserved -= 1;
            self.pages.copy(partial as usize, own as usize);
            run.pages.push(own);
        }
        let request = &mut self.active[index];
        request.holds_first = false;
        request.next_sample += 1;
        request.running += 1;
        self.running.push(run);
        self.draw(self.running.len() - 1, picked);
    }

    /// Gives a running sample its token, and ends it where that was the last.
    fn draw(&mut self, at: usize, picked: Picked) -> bool {
        let run = &mut self.running[at];
        let Some(request) = self.active.iter_mut().find(|request| request.ask.id == run.request) else { return false };
        run.tokens.push(picked.token);
        run.drawn += 1;
        let stopped = request.ask.stop_tokens.contains(&picked.token);
        let full = run.drawn >= request.ask.max_tokens || run.tokens.len() >= self.weights.layout.config.max_position;
        (request.ask.on_event)(Event::Token(run.sample, picked));
        if stopped || full {
            self.finish(at, if stopped { Finish::Stop } else { Finish::Length });
        }
        stopped || full
    }

    fn finish(&mut self, at: usize, reason: Finish) {
        let run = self.running.swap_remove(at);
        self.reserved -= run.reserved;
        if let Some(request) = self.active.iter_mut().find(|request| request.ask.id == run.request) {
            let known = run.tokens.len() - 1;
            self.table.remember(request.ask.adapter_version, &run.tokens[..known], &run.pages);
            request.running -= 1;
            end(request, run.sample, reason);
        }
        run.pages.iter().for_each(|&page| self.table.release(page));
    }

    /// Lets requests go whose samples have all ended.
    fn retire(&mut self) {
        let mut index = 0;
        while index < self.active.len() {
            if !self.active[index].ended.iter().all(|ended| *ended) {
                index += 1;
                continue;
            }
            let request = self.active.remove(index);
            if request.holds_first {
                self.reserved -= self.sample_pages(&request.ask);
            }
            let read = request.read.min(request.ask.prompt.len());
            self.table.remember(request.ask.adapter_version, &request.ask.prompt[..read], &request.prompt_pages);
            request.prompt_pages.iter().for_each(|&page| self.table.release(page));
        }
    }

    /// The rows of a step, grouped by adapter.
    fn build(&mut self) -> Work<E> {
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
        let mut room = PROMPT_ROWS;
        for (index, request) in self.active.iter().enumerate().filter(|(_, request)| request.ready.is_none()) {
            let rows = (request.ask.prompt.len() - request.read).min(room);
            if rows > 0 {
                join(&request.ask, Waiter::Prompt(index, rows));
                room -= rows;
            }
        }
        let mut batch = Batch {
            tokens: Vec::new(),
            positions: Vec::new(),
            spans: Vec::new(),
            writes: Vec::new(),
            adapted: Vec::new(),
        };
        let (mut heads, mut prompts) = (Vec::new(), Vec::new());
        for (_, adapter, waiters) in groups {
            let first = batch.tokens.len();
            for waiter in waiters {
                self.add_rows(&mut batch, waiter);
                if let Waiter::Prompt(index, rows) = waiter {
                    prompts.push((index, rows));
                }
                if self.wants_logits(waiter) {
                    heads.push((batch.tokens.len() as u32 - 1, waiter));
                }
            }
            batch.adapted.extend(adapter.map(|adapter| (first..batch.tokens.len(), adapter)));
        }
        Work { batch, heads, prompts }
    }

    fn wants_logits(&self, waiter: Waiter) -> bool {
        match waiter {
            Waiter::Sample(_) => true,
            Waiter::Prompt(index, rows) => self.active[index].read + rows == self.active[index].ask.prompt.len(),
        }
    }

    fn add_rows(&mut self, batch: &mut Batch<E>, waiter: Waiter) {
        let (start, rows) = match waiter {
            Waiter::Sample(at) => (self.running[at].tokens.len() - 1, 1),
            Waiter::Prompt(index, rows) => (self.active[index].read, rows),
        };
        if let Waiter::Sample(at) = waiter
            && start / PAGE == self.running[at].pages.len()
        {
            let page = self.take_page();
            self.running[at].pages.push(page);
            self.running[at].reserved -= 1;
            self.reserved -= 1;
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

    fn compute(&mut self, pool: &Pool, work: &Work<E>, free: &mut Buffers<E>) {
        let weights = self.weights.clone();
        let pass = Pass { pool, weights: &weights, batch: &work.batch };
        let mut x = pass.embed(free);
        pass.layers(&mut x, &mut self.pages, |layer| layer, free, &mut |kept, free| kept.release(free));
        for (index, rows) in &work.prompts {
            self.active[*index].read += rows;
        }
        let mut drawn: Vec<(usize, Picked)> = Vec::new();
        for group in work.heads.chunks(HEAD_ROWS) {
            let vocabulary = weights.layout.config.vocab_size;
            let rows: Vec<u32> = group.iter().map(|head| head.0).collect();
            let hidden = pass.final_norm(&x, &rows, free);
            let inverse: Vec<f32> =
                group.iter().map(|(_, waiter)| self.choice(*waiter).inverse_temperature()).collect();
            let offsets = vec![0; rows.len() + 1];
            let mut logits = free.floats.take(rows.len() * vocabulary);
            let stride = stride_of::<E>(weights.layout.config.hidden_size);
            let hidden_rows = Rows { data: &hidden, rows: rows.len(), stride };
            let queries = Queries { offsets: &offsets, targets: &[] };
            let head = weights.matrix(weights.layout.head());
            let outputs = head_forward(pool, hidden_rows, head, &inverse, &queries, Some(&mut logits));
            for (index, (_, waiter)) in group.iter().enumerate() {
                let row = &logits[index * vocabulary..(index + 1) * vocabulary];
                match *waiter {
                    Waiter::Sample(at) => drawn.push((at, self.pick(at, row, outputs.log_sums[index]))),
                    Waiter::Prompt(at, _) => self.active[at].ready = Some((row.to_vec(), outputs.log_sums[index])),
                }
            }
            free.floats.give(logits);
            free.elements.give(hidden);
        }
        free.floats.give(x);
        // From the last to the first, since an ended sample is replaced by the last one.
        drawn.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, picked) in drawn {
            self.draw(at, picked);
        }
    }

    fn request_of(&self, at: usize) -> &SampleRequest<E> {
        let id = self.running[at].request;
        &self.active.iter().find(|request| request.ask.id == id).expect("a running sample's request").ask
    }

    fn choice(&self, waiter: Waiter) -> &Choice {
        match waiter {
            Waiter::Sample(at) => &self.request_of(at).choice,
            Waiter::Prompt(index, _) => &self.active[index].ask.choice,
        }
    }

    fn pick(&self, at: usize, logits: &[f32], log_sum: f64) -> Picked {
        let (run, request) = (&self.running[at], self.request_of(at));
        choose(logits, log_sum, &request.choice, request.first_sample + run.sample as u64, run.drawn as u64)
    }
}

/// What a row of a step belongs to: a running sample, or so many rows of an active request's prompt.
#[derive(Debug, Clone, Copy)]
enum Waiter {
    Sample(usize),
    Prompt(usize, usize),
}

/// Waiters of one adapter: its version, itself, and they.
type AdapterGroup<E> = (u64, Option<Arc<Adapter<E>>>, Vec<Waiter>);

/// The rows of a step.
struct Work<E> {
    batch: Batch<E>,
    /// Rows whose logits are wanted, and by whom.
    heads: Vec<(u32, Waiter)>,
    /// Active requests and the rows of their prompts that the step reads.
    prompts: Vec<(usize, usize)>,
}

fn end<E>(request: &mut Request<E>, sample: usize, reason: Finish) {
    if !request.ended[sample] {
        request.ended[sample] = true;
        (request.ask.on_event)(Event::End(sample, reason));
    }
}
