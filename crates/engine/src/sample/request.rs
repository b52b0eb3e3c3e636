//! What is asked of the sampler, and what it tells.

use std::sync::Arc;

use super::choose::{Choice, Picked};
use super::memory::Version;
use crate::model::adapter::Adapter;
use crate::model::tape::{Cursor, RowSaid, SharedTape};

/// Why a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It drew a stop token.
    Stop,
    /// It has as many tokens as were asked for, or the context is full.
    Length,
    Aborted,
}

/// What happens to a request, its samples by their number.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Token(usize, Picked),
    End(usize, Finish),
    /// The request failed, for this reason; nothing more comes of it.
    Failed(String),
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
    /// Takes what is computed, where the model keeps it for training.
    pub tape: Option<SharedTape<E>>,
    pub on_event: Box<dyn FnMut(Event) + Send>,
}

/// A request that waits or is in flight.
pub(super) struct Request<E> {
    pub ask: SampleRequest<E>,
    pub version: Version,
    /// Its turn among the requests of all versions.
    pub turn: u64,
    /// Prompt positions already in pages.
    pub read: usize,
    pub prompt_pages: Vec<u32>,
    /// Follows the prompt on the tape.
    pub cursor: Cursor,
    /// Set when the prompt has been read: the logits after it and what the head says of them.
    pub ready: Option<(Vec<f32>, RowSaid)>,
    pub next_sample: usize,
    /// The first sample's pages, reserved with the prompt.
    pub holds_first: bool,
    pub ended: Vec<bool>,
}

impl<E> Request<E> {
    pub fn new(ask: SampleRequest<E>, version: Version, turn: u64) -> Self {
        let ended = vec![false; ask.count];
        Self {
            ask,
            version,
            turn,
            read: 0,
            prompt_pages: Vec::new(),
            cursor: Cursor::default(),
            ready: None,
            next_sample: 0,
            holds_first: false,
            ended,
        }
    }

    pub fn end(&mut self, sample: usize, reason: Finish) {
        if !self.ended[sample] {
            self.ended[sample] = true;
            (self.ask.on_event)(Event::End(sample, reason));
        }
    }

    pub fn fail(&mut self, problem: &str) {
        self.ended.fill(true);
        (self.ask.on_event)(Event::Failed(problem.to_string()));
    }

    pub fn is_over(&self) -> bool {
        self.ended.iter().all(|ended| *ended)
    }
}

/// A sample in flight.
pub(super) struct Running {
    pub request: u64,
    pub sample: usize,
    /// Prompt and drawn tokens; all but the last are in pages.
    pub tokens: Vec<u32>,
    pub pages: Vec<u32>,
    /// Follows the tokens on the tape.
    pub cursor: Cursor,
    pub drawn: usize,
    pub reserved: usize,
}
