//! A model of either precision: the base, or one that is trained on it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::any_model::{Aborter, AnyModel, Inputs, LoadOptions, Precision};
use super::passes;
use super::runtime::Runtime;
use super::sampling::{SampleAsk, SamplingGroup};
use super::source::Source;
use crate::buffers::Buffers;
use crate::config::ModelConfig;
use crate::element::{Bf16, Element};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::adapter::{Adapter, LoraConfig};
use crate::model::layout::{Layout, Place, VALUE_HEAD};
use crate::model::tape::{SharedTape, Tape, TapeVersion, lock};
use crate::model::train::{Kept, Sequence, TokenOutputs};
use crate::model::weights::Weights;
use crate::optim::{Optimizer, ParameterPart, Parameters};
use crate::pool::Pool;
use crate::sample::Event;

static VERSIONS: AtomicU64 = AtomicU64::new(1);

pub(super) fn next_version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

/// A model of one precision.
pub struct Model<E> {
    pub(super) pool: Arc<Pool>,
    pub(super) options: LoadOptions,
    pub(super) source: Source,
    /// Whether the weights below an adapter, the scalar head aside, are the source's.
    pub(super) pristine: bool,
    pub(super) weights: Weights<E>,
    /// Changes with the base weights.
    pub(super) version: u64,
    pub(super) adapter: Option<Arc<Adapter<E>>>,
    pub(super) adapter_version: u64,
    pub(super) trained: Option<Parameters>,
    /// Exact values of a frozen model's adapter, by its shapes.
    pub(super) frozen: Option<Arc<Vec<Vec<f32>>>>,
    pub(super) buffers: Buffers<E>,
    pub(super) kept: Option<Kept<E>>,
    /// What sampling computed, once it was to be kept.
    pub(super) tape: Option<SharedTape<E>>,
    pub(super) sampling: Arc<Mutex<SamplingGroup<E>>>,
}

impl<E: GemmElement> Model<E> {
    pub(super) fn build(config: ModelConfig, source: Source, options: &LoadOptions) -> Result<Self> {
        let pool = Arc::new(Pool::new(options.threads));
        let layout = Arc::new(Layout::new(config, false));
        let weights = Weights::build(&pool, Arc::clone(&layout), |place| {
            source.read(&layout.config, place, layout.shapes[place.tensor].columns)
        })?;
        Ok(Self::new(pool, options.clone(), source, weights))
    }

    pub(super) fn new(pool: Arc<Pool>, options: LoadOptions, source: Source, weights: Weights<E>) -> Self {
        let sampling = Arc::new(Mutex::new(SamplingGroup::new(Arc::clone(&pool), &weights, options.kv_bytes)));
        Self {
            pool,
            options,
            source,
            pristine: true,
            weights,
            version: next_version(),
            adapter: None,
            adapter_version: 0,
            trained: None,
            frozen: None,
            buffers: Buffers::default(),
            kept: None,
            tape: None,
            sampling,
        }
    }

    /// A model of the same version on `weights`, which may differ in the scalar head, without an adapter.
    pub(super) fn derive(&self, weights: Weights<E>) -> Self {
        Self {
            pool: Arc::clone(&self.pool),
            options: self.options.clone(),
            source: self.source.clone(),
            pristine: self.pristine,
            weights,
            version: self.version,
            adapter: None,
            adapter_version: 0,
            trained: None,
            frozen: None,
            buffers: Buffers::default(),
            kept: None,
            tape: None,
            sampling: Arc::clone(&self.sampling),
        }
    }

    /// Values of a parameter of `layout` below any adapter, in f32 where they are known so: what the source has, where the
    /// weights still are the source's, else what the model computes with.
    pub(super) fn exact(&self, layout: &Layout, place: &Place) -> Result<Vec<f32>> {
        let own_head = self.weights.layout.value_head;
        let of_source = if place.name == VALUE_HEAD { !own_head } else { self.pristine };
        if of_source {
            return self.source.read(&layout.config, place, layout.shapes[place.tensor].columns);
        }
        Ok(self.weights.read(place))
    }

    /// Shapes of the adapter's own parameters: all but the scalar head, which the layout has.
    fn adapter_shapes(&self) -> impl Iterator<Item = &(String, usize, usize)> {
        self.adapter.iter().flat_map(|adapter| &adapter.shapes).filter(|shape| shape.0 != VALUE_HEAD)
    }

    /// Exact values of the adapter's parameters, by its shapes.
    pub(super) fn adapter_values(&self) -> Option<&[Vec<f32>]> {
        self.adapter.as_ref()?;
        let trained = self.trained.as_ref().map(|parameters| parameters.values.as_slice());
        trained.or(self.frozen.as_ref().map(|values| values.as_slice()))
    }

    pub(super) fn trained(&self, what: &str) -> Result<&Parameters> {
        self.trained
            .as_ref()
            .ok_or_else(|| Error::new(format!("{what}: this model is not trained; make one with trainable()")))
    }

    /// Values of a named part of what is trained.
    fn part<'a>(&self, parameters: &'a Parameters, name: &str) -> Result<&'a ParameterPart> {
        parameters.parts.iter().find(|part| part.name == name).ok_or_else(|| {
            let some: Vec<&str> = parameters.parts.iter().take(8).map(|part| part.name.as_str()).collect();
            Error::new(format!("'{name}' is not trained; what is: {}, ...", some.join(", ")))
        })
    }

    /// Carries trained values over into what the passes read.
    pub(super) fn publish(&mut self) {
        let Some(parameters) = &self.trained else { return };
        if let Some(adapter) = &mut self.adapter {
            let adapter = Arc::make_mut(adapter);
            for (index, values) in parameters.values.iter().enumerate() {
                adapter.set(&self.pool, index, values);
            }
            if self.weights.layout.value_head
                && let Some(head) = parameters.values.last()
            {
                let tensor = self.weights.layout.value();
                self.weights.replace(&self.pool, tensor, head);
            }
            let old = std::mem::replace(&mut self.adapter_version, next_version());
            self.lock().forget_versions(|version| version.adapter == old);
        } else {
            for (tensor, values) in parameters.values.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
                self.weights.replace(&self.pool, tensor, values);
            }
            let old = std::mem::replace(&mut self.version, next_version());
            self.lock().forget_versions(|version| version.weights == old);
        }
        self.forget_taped(|tape, version| tape.renew(version));
    }

    pub(super) fn tape_version(&self) -> TapeVersion {
        (self.version, self.adapter_version)
    }

    /// Lets go of what is on the tape, and of a micro-batch between its passes that needs it.
    fn forget_taped(&mut self, forget: impl FnOnce(&mut Tape<E>, TapeVersion)) {
        if self.kept.as_ref().is_some_and(Kept::is_taped) {
            passes::discard(self);
        }
        if let Some(tape) = &self.tape {
            forget(&mut lock(tape), self.tape_version());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SamplingGroup<E>> {
        self.sampling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: GemmElement> AnyModel for Model<E> {
    fn config(&self) -> &ModelConfig {
        &self.weights.layout.config
    }

    fn precision(&self) -> Precision {
        if E::NAME == Bf16::NAME { Precision::Bf16 } else { Precision::F32 }
    }

    fn parameter_counts(&self) -> (usize, usize) {
        let trained = self.trained.as_ref().map_or(0, |parameters| parameters.values.iter().map(Vec::len).sum());
        let adapter: usize = self.adapter_shapes().map(|(_, rows, columns)| rows * columns).sum();
        (self.weights.layout.parameters() + adapter, trained)
    }

    fn bytes(&self) -> usize {
        let frozen: usize = self.frozen.iter().flat_map(|values| values.iter()).map(Vec::len).sum();
        let trained = self.trained.as_ref().map_or(0, Parameters::elements) + frozen;
        let taped = self.tape.as_ref().map_or(0, |tape| lock(tape).bytes());
        self.weights.bytes() + self.buffers.bytes() + taped + trained * size_of::<f32>()
    }

    fn parameter_names(&self) -> Vec<String> {
        let below = self.weights.layout.places.iter().map(|place| place.name.clone());
        below.chain(self.adapter_shapes().map(|(name, ..)| name.clone())).collect()
    }

    fn version(&self) -> u64 {
        self.version.max(self.adapter_version)
    }

    fn fitting(&self, examples: &[Vec<Sequence>], share: bool, recompute: Option<bool>) -> Result<(usize, bool)> {
        passes::fitting(self, examples, share, recompute)
    }

    fn forward(&mut self, inputs: &Inputs) -> Result<TokenOutputs> {
        passes::score(self, inputs)
    }

    fn forward_keep(&mut self, inputs: &Inputs, recompute: bool) -> Result<(TokenOutputs, bool)> {
        passes::forward_keep(self, inputs, recompute)
    }

    fn keep_sampled(&mut self, on: bool) -> Result<()> {
        self.trained("keepSampled")?;
        let version = self.tape_version();
        if on && self.tape.is_none() {
            let tape = Tape::new(&self.weights, self.options.activation_bytes, version);
            self.tape = Some(Arc::new(Mutex::new(tape)));
        }
        let Some(tape) = &self.tape else { return Ok(()) };
        lock(tape).turn(on);
        if on && lock(tape).is_blank() {
            // What was read before is not on the tape, so it is read again.
            self.lock().forget_versions(|known| (known.weights, known.adapter) == version);
        }
        Ok(())
    }

    fn forget_sampled(&mut self) {
        self.forget_taped(|tape, _| tape.release());
    }

    fn backward(&mut self, gradients: &TokenOutputs) -> Result<()> {
        passes::go_back(self, gradients)
    }

    fn discard(&mut self, gradients: bool) {
        passes::discard(self);
        if let Some(parameters) = self.trained.as_mut().filter(|_| gradients) {
            parameters.clear_gradients();
        }
    }

    fn reset_optimizer(&mut self) -> Result<()> {
        self.trained("resetOptimizer")?;
        if let Some(parameters) = &mut self.trained {
            parameters.reset_optimizer();
        }
        Ok(())
    }

    fn gradient(&self, name: &str) -> Result<Vec<f32>> {
        let parameters = self.trained("gradient")?;
        let part = self.part(parameters, name)?;
        let zeros = || vec![0.0; part.rows * part.columns];
        Ok(parameters.gradients.get(part.buffer).map_or_else(zeros, |gradient| gradient[part.range()].to_vec()))
    }

    fn parameter(&self, name: &str) -> Result<Vec<f32>> {
        if let Some(parameters) = &self.trained
            && let Ok(part) = self.part(parameters, name)
        {
            return Ok(parameters.values[part.buffer][part.range()].to_vec());
        }
        if let (Some(adapter), Some(values)) = (&self.adapter, self.adapter_values())
            && let Some(index) = adapter.shapes.iter().position(|shape| shape.0 == name)
        {
            return Ok(values[index].clone());
        }
        Ok(self.weights.read(self.weights.layout.find(name)?))
    }

    fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let part = self.part(self.trained("setParameter")?, name)?.clone();
        if values.len() != part.rows * part.columns {
            let want = part.rows * part.columns;
            return Err(Error::new(format!("setParameter: '{name}' has {want} elements, not {}", values.len())));
        }
        if let Some(parameters) = &mut self.trained {
            parameters.values[part.buffer][part.range()].copy_from_slice(values);
        }
        self.publish();
        Ok(())
    }

    fn step(&mut self, optimizer: Optimizer, max_norm: f64) -> Result<f64> {
        self.trained("optimStep")?;
        let Some(parameters) = &mut self.trained else {
            return Err(Error::new("optimStep: this model is not trained"));
        };
        let norm = parameters.step::<E>(&self.pool, optimizer, max_norm)?;
        self.publish();
        Ok(norm)
    }

    fn trainable(&self, lora: Option<LoraConfig>, value_head: bool, seed: u64) -> Result<Box<dyn AnyModel>> {
        Ok(Box::new(super::trainable::trainable(self, lora, value_head, seed)?))
    }

    fn snapshot(&self) -> Box<dyn AnyModel> {
        Box::new(super::trainable::snapshot(self))
    }

    fn sample(&self, runtime: &Runtime, ask: SampleAsk, on_event: Box<dyn FnMut(Event) + Send>) -> Result<()> {
        if ask.count == 0 || ask.max_tokens == 0 {
            let (n, most) = (ask.count, ask.max_tokens);
            return Err(Error::new(format!("sample: n is {n} and maxTokens is {most}; both must be at least 1")));
        }
        let adapter = self.adapter.clone().map(|adapter| (adapter, self.adapter_version));
        self.lock().submit(&self.weights, self.version, adapter, self.tape.clone(), ask, on_event)?;
        runtime.run_sampler(Arc::clone(&self.sampling) as _);
        Ok(())
    }

    fn aborter(&self) -> Aborter {
        let sampling = Arc::downgrade(&self.sampling);
        Arc::new(move |id, sample| {
            if let Some(sampling) = sampling.upgrade() {
                sampling.lock().unwrap_or_else(PoisonError::into_inner).abort(id, sample);
            }
        })
    }

    fn save_state(&self, directory: &Path) -> Result<()> {
        super::state::save(self, directory)
    }

    fn load_state(&mut self, directory: &Path) -> Result<()> {
        super::state::load(self, directory)
    }

    fn save_weights(&self, directory: &Path, bf16: bool, base: &str) -> Result<()> {
        super::state::save_weights(self, directory, bf16, base)
    }

    fn load_adapter(&mut self, directory: &Path) -> Result<()> {
        super::adapter::load(self, directory)
    }

    fn with_adapter(&self, directory: &Path) -> Result<Box<dyn AnyModel>> {
        Ok(Box::new(super::adapter::put_on(self, directory)?))
    }
}
