//! The samples in flight of a base model and of everything made from it.

use std::sync::Arc;

use super::runtime::Sampler;
use crate::buffers::Buffers;
use crate::error::Result;
use crate::gemm::GemmElement;
use crate::model::adapter::Adapter;
use crate::model::forward::Sizes;
use crate::model::tape::SharedTape;
use crate::model::weights::Weights;
use crate::pool::Pool;
use crate::sample::{Choice, Event, KeyValueMemory, SampleRequest, Scheduler, Version};

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

/// Schedulers by version of the weights, over one memory of keys and values. A request goes on with the weights it began
/// with.
pub struct SamplingGroup<E> {
    pool: Arc<Pool>,
    pub(super) memory: KeyValueMemory<E>,
    /// Those with something in flight.
    pub(super) schedulers: Vec<Scheduler<E>>,
    turns: u64,
    buffers: Buffers<E>,
}

impl<E: GemmElement> SamplingGroup<E> {
    /// `kv_bytes` bounds the keys and values of all versions together.
    pub fn new(pool: Arc<Pool>, weights: &Weights<E>, kv_bytes: usize) -> Self {
        let memory = KeyValueMemory::new(Sizes::of(weights).heads, weights.layout.config.num_layers, kv_bytes);
        Self { pool, memory, schedulers: Vec::new(), turns: 0, buffers: Buffers::default() }
    }

    pub fn submit(
        &mut self,
        weights: &Weights<E>,
        version: u64,
        adapter: Option<(Arc<Adapter<E>>, u64)>,
        tape: Option<SharedTape<E>>,
        ask: SampleAsk,
        on_event: Box<dyn FnMut(Event) + Send>,
    ) -> Result<()> {
        let found = self.schedulers.iter().position(|scheduler| scheduler.version() == version);
        let index = found.unwrap_or_else(|| {
            self.schedulers.push(Scheduler::new(weights.clone(), version));
            self.schedulers.len() - 1
        });
        let (adapter, adapter_version) = adapter.map_or((None, 0), |(adapter, version)| (Some(adapter), version));
        let SampleAsk { id, prompt, count, first_sample, max_tokens, choice, stop_tokens } = ask;
        let request = SampleRequest {
            id,
            prompt,
            count,
            first_sample,
            max_tokens,
            choice,
            stop_tokens,
            adapter,
            adapter_version,
            tape,
            on_event,
        };
        self.turns += 1;
        self.schedulers[index].submit(request, self.turns, &self.memory)
    }

    pub fn abort(&mut self, id: u64, sample: Option<usize>) {
        let Self { schedulers, memory, .. } = self;
        schedulers.iter_mut().for_each(|scheduler| scheduler.abort(id, sample, memory));
    }

    /// Lets go of the keys and values of versions that will not be asked for again.
    pub fn forget_versions(&mut self, meant: impl Fn(Version) -> bool) {
        self.memory.table.forget_versions(meant);
    }

    /// Takes waiting requests of all versions in the order they came, as long as there is room.
    fn admit(&mut self) {
        let waiting = |scheduler: &&mut Scheduler<E>| scheduler.next_turn().unwrap_or(u64::MAX);
        while let Some(next) = self.schedulers.iter_mut().min_by_key(waiting)
            && next.admit(&mut self.memory)
        {}
    }
}

impl<E: GemmElement> Sampler for SamplingGroup<E> {
    fn step(&mut self) -> bool {
        // Samples of requests that were taken come before further requests: they were promised nothing, but they began.
        self.schedulers.iter_mut().for_each(|scheduler| scheduler.start_samples(&mut self.memory));
        self.admit();
        let Self { pool, memory, schedulers, buffers, .. } = self;
        schedulers.iter_mut().for_each(|scheduler| scheduler.step(memory, pool, buffers));
        schedulers.retain(|scheduler| !scheduler.is_idle());
        !schedulers.is_empty()
    }

    fn fail(&mut self, problem: &str) {
        self.schedulers.iter_mut().for_each(|scheduler| scheduler.fail_all(problem));
        self.schedulers.clear();
        // A panic may have left pages without an owner.
        self.memory.clear();
    }
}
