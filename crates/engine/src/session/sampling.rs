//! The samples in flight of a base model and its adapters, over the versions of its weights.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::runtime::Sampler;
use crate::error::Result;
use crate::gemm::GemmElement;
use crate::model::adapter::Adapter;
use crate::model::buffers::Buffers;
use crate::model::weights::Weights;
use crate::pool::Pool;
use crate::sample::{Choice, Event, SampleRequest, Scheduler};

/// Samples to draw, apart from the model.
#[derive(Debug, Clone)]
pub struct SampleAsk {
    pub id: u64,
    pub prompt: Vec<u32>,
    pub count: usize,
    pub first_sample: u64,
    pub max_tokens: usize,
    pub choice: Choice,
    pub stop_tokens: Vec<u32>,
}

/// What a caller hears of its samples.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleEvent {
    Of(Event),
    /// The engine failed; no more will come.
    Failed(String),
}

/// Schedulers by version of the weights. A request goes on with the weights it began with.
pub struct SamplingGroup<E> {
    pool: Arc<Pool>,
    kv_bytes: usize,
    schedulers: Vec<Scheduler<E>>,
    buffers: Buffers<E>,
}

impl<E: GemmElement> SamplingGroup<E> {
    pub fn new(pool: Arc<Pool>, kv_bytes: usize) -> Self {
        Self { pool, kv_bytes, schedulers: Vec::new(), buffers: Buffers::default() }
    }

    pub fn submit(
        &mut self,
        weights: &Weights<E>,
        version: u64,
        adapter: Option<(Arc<Adapter<E>>, u64)>,
        ask: SampleAsk,
        on_event: Box<dyn FnMut(Event) + Send>,
    ) -> Result<()> {
        self.schedulers.retain(|scheduler| !scheduler.is_idle() || scheduler.version() == version);
        let found = self.schedulers.iter().position(|scheduler| scheduler.version() == version);
        let index = found.unwrap_or_else(|| {
            self.schedulers.push(Scheduler::new(weights.clone(), version, self.kv_bytes));
            self.schedulers.len() - 1
        });
        let (adapter, adapter_version) = adapter.map_or((None, 0), |(adapter, version)| (Some(adapter), version));
        let SampleAsk { id, prompt, count, first_sample, max_tokens, choice, stop_tokens } = ask;
        self.schedulers[index].submit(SampleRequest {
            id,
            prompt,
            count,
            first_sample,
            max_tokens,
            choice,
            stop_tokens,
            adapter,
            adapter_version,
            on_event,
        })
    }

    pub fn abort(&mut self, id: u64, sample: Option<usize>) {
        self.schedulers.iter_mut().for_each(|scheduler| scheduler.abort(id, sample));
    }

    /// Lets go of versions of which nothing is in flight but the newest: called when weights change, so that copies of
    /// the old ones do not stay.
    pub fn drop_idle(&mut self) {
        self.schedulers.retain(|scheduler| !scheduler.is_idle());
    }
}

impl<E: GemmElement> Sampler for SamplingGroup<E> {
    fn fail(&mut self) {
        self.schedulers.clear();
    }

    /// One step of every version. Gives back whether work is left.
    fn step(&mut self) -> bool {
        let Self { pool, schedulers, buffers, .. } = self;
        // Every one is stepped, so this is no `any`.
        let working = schedulers.iter_mut().filter_map(|scheduler| scheduler.step(pool, buffers).then_some(()));
        working.count() > 0
    }
}

/// Tells a caller when its request is dropped without having ended, which happens only when the engine fails.
pub(super) struct Listener {
    open: usize,
    /// Unset while the request may still be refused, which is told by other means.
    accepted: Arc<AtomicBool>,
    hear: Box<dyn FnMut(SampleEvent) + Send>,
}

impl Listener {
    pub fn new(open: usize, accepted: Arc<AtomicBool>, hear: Box<dyn FnMut(SampleEvent) + Send>) -> Self {
        Self { open, accepted, hear }
    }

    pub fn tell(&mut self, event: Event) {
        if matches!(event, Event::End(..)) {
            self.open -= 1;
        }
        (self.hear)(SampleEvent::Of(event));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.open > 0 && self.accepted.load(Ordering::Relaxed) {
            (self.hear)(SampleEvent::Failed("sampling failed inside the engine; this is a defect of whetstone".into()));
        }
    }
}
