//! Continuous batching: at every step each running sample gets its next token, and prompts are read in chunks beside
//! them. Requests wait for room; they never fail for lack of it.

use std::collections::VecDeque;

use super::memory::{KeyValueMemory, Version};
use super::request::{Finish, Request, Running, SampleRequest};
use crate::buffers::Buffers;
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::weights::Weights;
use crate::ops::pages::PAGE;
use crate::pool::Pool;

/// The samples in flight on one version of the weights.
pub struct Scheduler<E> {
    pub(super) weights: Weights<E>,
    version: u64,
    pub(super) waiting: VecDeque<Request<E>>,
    pub(super) active: Vec<Request<E>>,
    pub(super) running: Vec<Running>,
}

impl<E: GemmElement> Scheduler<E> {
    pub fn new(weights: Weights<E>, version: u64) -> Self {
        Self { weights, version, waiting: VecDeque::new(), active: Vec::new(), running: Vec::new() }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    /// The turn of the request that has waited longest, if one waits.
    pub fn next_turn(&self) -> Option<u64> {
        self.waiting.front().map(|request| request.turn)
    }

    /// Queues a request, or says why it can never run.
    pub fn submit(&mut self, ask: SampleRequest<E>, turn: u64, memory: &KeyValueMemory<E>) -> Result<()> {
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
        if let Some((token, _)) = ask.choice.bias.iter().find(|(_, bias)| bias.is_nan()) {
            return Err(Error::new(format!("sample: logitBias of token {token} is NaN; it must be a number")));
        }
        if let Some((token, _)) = ask.choice.bias.iter().find(|(token, _)| *token as usize >= config.vocab_size) {
            return Err(Error::new(format!(
                "sample: logitBias has token {token}; the vocabulary has 0 to {}",
                config.vocab_size - 1
            )));
        }
        let needed = length.div_ceil(PAGE) + self.sample_pages(&ask);
        if needed > memory.table.limit() {
            let have = memory.table.limit() * PAGE;
            let problem = format!(
                "sample: one sample needs room for {} tokens; the key-value memory holds {have}",
                needed * PAGE
            );
            let bytes = needed * memory.page_bytes();
            return Err(Error::new(format!(
                "{problem}. Ask for fewer tokens, or raise kvBytes when loading the model, to {bytes} at least"
            )));
        }
        let version = Version { weights: self.version, adapter: ask.adapter_version };
        self.waiting.push_back(Request::new(ask, version, turn));
        Ok(())
    }

    /// Ends a sample of a request, or all of them.
    pub fn abort(&mut self, id: u64, sample: Option<usize>, memory: &mut KeyValueMemory<E>) {
        let hits = |request: &Request<E>| request.ask.id == id;
        let count =
            self.waiting.iter().chain(&self.active).find(|request| hits(request)).map(|request| request.ask.count);
        for index in 0..count.unwrap_or(0) {
            if sample.is_none_or(|sample| sample == index) {
                if let Some(at) = self.running.iter().position(|run| run.request == id && run.sample == index) {
                    self.finish(at, Finish::Aborted, memory);
                } else if let Some(request) =
                    self.waiting.iter_mut().chain(&mut self.active).find(|request| hits(request))
                {
                    request.end(index, Finish::Aborted);
                }
            }
        }
        self.waiting.retain(|request| !(hits(request) && request.is_over()));
        self.retire(memory);
    }

    /// One step of every running sample, and a chunk of the prompts.
    pub fn step(&mut self, memory: &mut KeyValueMemory<E>, pool: &Pool, free: &mut Buffers<E>) {
        let work = self.build(memory);
        if !work.batch.tokens.is_empty() {
            self.compute(memory, pool, &work, free);
        }
        self.retire(memory);
    }

    /// Ends every request with an error.
    pub fn fail_all(&mut self, problem: &str) {
        self.waiting.iter_mut().chain(&mut self.active).for_each(|request| request.fail(problem));
    }
}
