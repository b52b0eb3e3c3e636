//! A model of either precision: the base, or one that is trained on it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::runtime::{Runtime, Sampler};
use super::sampling::{SampleAsk, SampleEvent, SamplingGroup};
use super::source::Source;
use crate::config::ModelConfig;
use crate::element::{Bf16, Element};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::isa::checked_isa;
use crate::memory::prefer_large_pages;
use crate::model::adapter::{Adapter, LoraConfig};
use crate::model::backward::Gradients;
use crate::model::buffers::Buffers;
use crate::model::forward::Sizes;
use crate::model::layout::Layout;
use crate::model::train::{Ask, Keep, Kept, Sequence, TokenOutputs, backward, check, forward};
use crate::model::weights::Weights;
use crate::optim::{Optimizer, ParameterPart, Parameters};
use crate::pool::Pool;
use crate::sample::Event;
use crate::weights::Checkpoint;

/// The numbers that products take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    Bf16,
}

/// How a model is opened.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub precision: Precision,
    pub threads: usize,
    /// Bound on the memory of keys and values in sampling.
    pub kv_bytes: usize,
    /// Bound on the memory of a micro-batch's activations.
    pub activation_bytes: usize,
}

/// Sequences of a micro-batch and what is asked of them.
pub struct Inputs {
    pub sequences: Vec<Sequence>,
    pub ask: Ask,
    /// Whether common beginnings are computed once.
    pub share: bool,
}

static VERSIONS: AtomicU64 = AtomicU64::new(1);

fn next_version() -> u64 {
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

/// What every model can do, whatever its precision.
pub trait AnyModel: Send {
    fn config(&self) -> &ModelConfig;
    fn precision(&self) -> Precision;
    /// Elements of all parameters, and of those that are trained.
    fn parameter_counts(&self) -> (usize, usize);
    fn parameter_names(&self) -> Vec<String>;
    fn version(&self) -> u64;
    /// How many examples, from the first, fit the memory of one micro-batch: lengths of each example's sequences.
    fn fitting(&self, examples: &[Vec<Sequence>]) -> (usize, bool);
    fn forward(&mut self, inputs: &Inputs) -> Result<TokenOutputs>;
    /// Forward, keeping what `backward` needs.
    fn forward_keep(&mut self, inputs: &Inputs, recompute: bool) -> Result<TokenOutputs>;
    fn backward(&mut self, gradients: &TokenOutputs) -> Result<()>;
    /// Gives up a micro-batch between its passes, and optionally what gradients hold.
    fn discard(&mut self, gradients: bool);
    fn gradient(&self, name: &str) -> Result<Vec<f32>>;
    fn parameter(&self, name: &str) -> Result<Vec<f32>>;
    fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()>;
    fn step(&mut self, optimizer: Optimizer, max_norm: f64) -> Result<f64>;
    fn trainable(&self, lora: Option<LoraConfig>, value_head: bool, seed: u64) -> Result<Box<dyn AnyModel>>;
    fn snapshot(&self) -> Box<dyn AnyModel>;
    fn sample(&self, runtime: &Runtime, ask: SampleAsk, on_event: Box<dyn FnMut(SampleEvent) + Send>) -> Result<()>;
    fn abort(&self, id: u64, sample: Option<usize>);
    fn save_state(&self, directory: &Path) -> Result<()>;
    fn load_state(&mut self, directory: &Path) -> Result<()>;
    fn save_weights(&self, directory: &Path, bf16: bool) -> Result<()>;
    fn load_adapter(&mut self, directory: &Path) -> Result<()>;
}

/// Opens a checkpoint folder or a .gguf file.
pub fn open_model(checkpoint: Arc<Checkpoint>, options: &LoadOptions) -> Result<Box<dyn AnyModel>> {
    let config = checkpoint.config.clone();
    build(config, Source::Checkpoint(checkpoint), options)
}

/// Makes a new model from a configuration and a seed.
pub fn new_model(config: ModelConfig, seed: u64, options: &LoadOptions) -> Result<Box<dyn AnyModel>> {
    build(config, Source::Seed(seed), options)
}

fn build(config: ModelConfig, source: Source, options: &LoadOptions) -> Result<Box<dyn AnyModel>> {
    checked_isa()?;
    Ok(match options.precision {
        Precision::F32 => Box::new(Model::<f32>::build(config, source, options)?),
        Precision::Bf16 => Box::new(Model::<Bf16>::build(config, source, options)?),
    })
}

/// A model of one precision.
pub struct Model<E> {
    pub(super) pool: Arc<Pool>,
    pub(super) options: LoadOptions,
    pub(super) source: Source,
    /// Whether the weights are the source's.
    pub(super) pristine: bool,
    pub(super) weights: Weights<E>,
    /// Changes with the base weights.
    version: u64,
    pub(super) adapter: Option<Arc<Adapter<E>>>,
    adapter_version: u64,
    pub(super) trained: Option<Parameters>,
    buffers: Buffers<E>,
    kept: Option<Kept<E>>,
    sampling: Arc<Mutex<Group<E>>>,
}

struct Group<E>(SamplingGroup<E>);

impl<E: GemmElement> Sampler for Group<E> {
    fn step(&mut self) -> bool {
        self.0.step()
    }

    fn fail(&mut self) {
        self.0.drop_all();
    }
}

/// Tells a caller when its request is dropped without having ended, which happens only when the engine fails.
struct Listener {
    open: usize,
    /// Unset while the request may still be refused, which is told by other means.
    accepted: Arc<AtomicBool>,
    hear: Box<dyn FnMut(SampleEvent) + Send>,
}

impl Listener {
    fn tell(&mut self, event: Event) {
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

impl<E: GemmElement> Model<E> {
    fn build(config: ModelConfig, source: Source, options: &LoadOptions) -> Result<Self> {
        let pool = Arc::new(Pool::new(options.threads));
        let layout = Arc::new(Layout::new(config, false));
        let weights = Weights::build(&pool, Arc::clone(&layout), |place| {
            source.read(&layout.config, place, layout.shapes[place.tensor].columns)
        })?;
        Ok(Self::new(pool, options.clone(), source, weights))
    }

    fn new(pool: Arc<Pool>, options: LoadOptions, source: Source, weights: Weights<E>) -> Self {
        let sampling = Arc::new(Mutex::new(Group(SamplingGroup::new(Arc::clone(&pool), options.kv_bytes))));
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
            buffers: Buffers::default(),
            kept: None,
            sampling,
        }
    }

    fn check(&self, inputs: &Inputs) -> Result<()> {
        let config = &self.weights.layout.config;
        check(&inputs.sequences, config.vocab_size, config.max_position)?;
        let t = inputs.ask.temperature;
        if !(t.is_finite() && t > 0.0) {
            return Err(Error::new(format!("temperature is {t}; scoring needs one above 0")));
        }
        if inputs.ask.values && !self.weights.layout.value_head {
            return Err(Error::new(
                "values were asked of a model without a value head; make it with trainable(..., 'value')",
            ));
        }
        Ok(())
    }

    /// Bytes that the backward pass keeps of a row, and with recomputation.
    fn row_bytes(&self) -> (usize, usize) {
        let (sizes, layers) = (Sizes::of(&self.weights), self.weights.layout.config.num_layers);
        let raw = if self.weights.layout.config.qk_norm { 4 * sizes.qkv_width() } else { 0 };
        let elements = sizes.qkv_width() + sizes.query_width() + 2 * sizes.intermediate;
        let layer = 8 * sizes.hidden + 4 * sizes.heads.heads + raw + elements * size_of::<E>();
        (layers * layer, layers * 4 * sizes.hidden + layer)
    }

    fn trained(&self, what: &str) -> Result<&Parameters> {
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
            self.adapter_version = next_version();
        } else {
            self.lock().0.drop_idle();
            for (tensor, values) in parameters.values.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
                self.weights.replace(&self.pool, tensor, values);
            }
            self.version = next_version();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Group<E>> {
        self.sampling.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let adapter =
            self.adapter.as_ref().map_or(0, |adapter| adapter.shapes.iter().map(|s| s.1 * s.2).sum::<usize>());
        (self.weights.layout.parameters() + adapter, trained)
    }

    fn parameter_names(&self) -> Vec<String> {
        let adapter = self.adapter.iter().flat_map(|adapter| adapter.shapes.iter().map(|shape| shape.0.clone()));
        self.weights.layout.places.iter().map(|place| place.name.clone()).chain(adapter).collect()
    }

    fn version(&self) -> u64 {
        self.version.max(self.adapter_version)
    }

    fn fitting(&self, examples: &[Vec<Sequence>]) -> (usize, bool) {
        let (kept, recomputed) = self.row_bytes();
        let rows_of = |count: usize| -> usize {
            let items: Vec<_> = examples[..count].iter().flatten().collect();
            let items: Vec<_> =
                items.iter().map(|s| crate::model::plan::Item { tokens: &s.input, mask: s.mask }).collect();
            crate::model::plan::plan(&items, true).tokens.len()
        };
        let budget = self.options.activation_bytes;
        if rows_of(1) * kept > budget {
            return (1, recomputed < kept);
        }
        // Rows grow with the number of examples, so the largest number that fits is found by halving.
        let (mut low, mut high) = (1, examples.len());
        while low < high {
            let middle = (low + high).div_ceil(2);
            if rows_of(middle) * kept <= budget { low = middle } else { high = middle - 1 }
        }
        (low, false)
    }

    fn forward(&mut self, inputs: &Inputs) -> Result<TokenOutputs> {
        self.check(inputs)?;
        let Inputs { sequences, ask, share } = inputs;
        let adapter = self.adapter.as_ref();
        let (outputs, _) =
            forward(&self.pool, &self.weights, adapter, sequences, *ask, Keep::Nothing, *share, &mut self.buffers);
        Ok(outputs)
    }

    fn forward_keep(&mut self, inputs: &Inputs, recompute: bool) -> Result<TokenOutputs> {
        self.trained("forwardBackward")?;
        self.check(inputs)?;
        self.kept = None;
        let Inputs { sequences, ask, share } = inputs;
        let keep = if recompute { Keep::Inputs } else { Keep::Activations };
        let adapter = self.adapter.as_ref();
        let (outputs, kept) =
            forward(&self.pool, &self.weights, adapter, sequences, *ask, keep, *share, &mut self.buffers);
        self.kept = kept;
        Ok(outputs)
    }

    fn backward(&mut self, gradients: &TokenOutputs) -> Result<()> {
        let kept = self.kept.take().ok_or_else(|| Error::new("backward: no forward pass is waiting for it"))?;
        let Some(parameters) = &mut self.trained else { return Err(Error::new("backward: this model is not trained")) };
        parameters.ensure_gradients();
        let mut into = match &self.adapter {
            Some(adapter) => Gradients::Lora(adapter, &mut parameters.gradients),
            None => Gradients::Full(&mut parameters.gradients),
        };
        backward(&self.pool, &self.weights, kept, gradients, &mut into, &mut self.buffers);
        Ok(())
    }

    fn discard(&mut self, gradients: bool) {
        self.kept = None;
        if let Some(parameters) = self.trained.as_mut().filter(|_| gradients) {
            parameters.clear_gradients();
        }
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
        let norm = parameters.step(&self.pool, optimizer, max_norm)?;
        self.publish();
        Ok(norm)
    }

    fn trainable(&self, lora: Option<LoraConfig>, value_head: bool, seed: u64) -> Result<Box<dyn AnyModel>> {
        if self.trained.is_some() {
            return Err(Error::new("trainable: this model is being trained already; take a snapshot() or the base"));
        }
        let layout = Arc::new(Layout::new(self.weights.layout.config.clone(), value_head));
        let source = self.source.clone();
        let read = |place: &crate::model::layout::Place| {
            source.read(&layout.config, place, layout.shapes[place.tensor].columns)
        };
        let mut weights = self.weights.clone();
        if value_head {
            weights = weights.with_layout(&self.pool, &layout, read)?;
        }
        let mut model = Self::new(Arc::clone(&self.pool), self.options.clone(), source.clone(), weights);
        if let Some(lora) = lora {
            let mut adapter = Adapter::new(&layout, lora)?;
            let mut values = adapter.initial(seed);
            if value_head && let Some(last) = values.last_mut() {
                *last = model.weights.vector(layout.value()).to_vec();
            }
            for (index, values) in values.iter().enumerate() {
                adapter.set(&self.pool, index, values);
            }
            model.trained = Some(Parameters::new(adapter_parts(&adapter), values));
            model.adapter = Some(Arc::new(adapter));
            model.adapter_version = next_version();
            model.version = self.version;
            if !value_head {
                model.sampling = Arc::clone(&self.sampling);
            }
        } else {
            let mut values: Vec<Vec<f32>> = vec![Vec::new(); layout.shapes.len()];
            for place in &layout.places {
                if values[place.tensor].is_empty() {
                    values[place.tensor].reserve_exact(layout.shapes[place.tensor].length());
                    prefer_large_pages(&mut values[place.tensor]);
                }
                values[place.tensor].extend(read(place)?);
            }
            model.trained = Some(Parameters::new(full_parts(&layout), values));
        }
        Ok(Box::new(model))
    }

    fn snapshot(&self) -> Box<dyn AnyModel> {
        let mut model =
            Self::new(Arc::clone(&self.pool), self.options.clone(), self.source.clone(), self.weights.clone());
        model.pristine = self.pristine && self.trained.is_none();
        model.adapter = self.adapter.clone();
        model.version = self.version;
        model.adapter_version = self.adapter_version;
        Box::new(model)
    }

    fn sample(&self, runtime: &Runtime, ask: SampleAsk, on_event: Box<dyn FnMut(SampleEvent) + Send>) -> Result<()> {
        if ask.count == 0 || ask.max_tokens == 0 {
            let (n, most) = (ask.count, ask.max_tokens);
            return Err(Error::new(format!("sample: n is {n} and maxTokens is {most}; both must be at least 1")));
        }
        let accepted = Arc::new(AtomicBool::new(false));
        let mut listener = Listener { open: ask.count, accepted: Arc::clone(&accepted), hear: on_event };
        let adapter = self.adapter.clone().map(|adapter| (adapter, self.adapter_version));
        let mut group = self.lock();
        let submitted =
            group.0.submit(&self.weights, self.version, adapter, ask, Box::new(move |event| listener.tell(event)));
        drop(group);
        submitted?;
        accepted.store(true, Ordering::Relaxed);
        runtime.run_sampler(Arc::clone(&self.sampling) as _);
        Ok(())
    }

    fn abort(&self, id: u64, sample: Option<usize>) {
        self.lock().0.abort(id, sample);
    }

    fn save_state(&self, directory: &Path) -> Result<()> {
        super::state::save(self, directory)
    }

    fn load_state(&mut self, directory: &Path) -> Result<()> {
        super::state::load(self, directory)
    }

    fn save_weights(&self, directory: &Path, bf16: bool) -> Result<()> {
        super::state::save_weights(self, directory, bf16)
    }

    fn load_adapter(&mut self, directory: &Path) -> Result<()> {
        super::state::load_adapter(self, directory)
    }
}

fn full_parts(layout: &Layout) -> Vec<ParameterPart> {
    let hidden = layout.layer(0, crate::model::layout::Slot::AttentionNorm)..layout.final_norm();
    let part = |place: &crate::model::layout::Place| {
        let shape = layout.shapes[place.tensor];
        ParameterPart {
            name: place.name.clone(),
            buffer: place.tensor,
            offset: place.rows.start * shape.columns,
            rows: place.rows.len(),
            columns: shape.columns,
            decays: shape.matrix,
            hidden: shape.matrix && hidden.contains(&place.tensor),
        }
    };
    layout.places.iter().map(part).collect()
}

fn adapter_parts<E>(adapter: &Adapter<E>) -> Vec<ParameterPart> {
    let part = |(buffer, (name, rows, columns)): (usize, &(String, usize, usize))| ParameterPart {
        name: name.clone(),
        buffer,
        offset: 0,
        rows: *rows,
        columns: *columns,
        decays: *rows > 1,
        hidden: *rows > 1,
    };
    adapter.shapes.iter().enumerate().map(part).collect()
}
