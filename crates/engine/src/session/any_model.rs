//! What every model can do, and how one is opened or made.

use std::path::Path;
use std::sync::Arc;

use super::model::Model;
use super::runtime::Runtime;
use super::sampling::SampleAsk;
use super::source::Source;
use crate::config::ModelConfig;
use crate::element::Bf16;
use crate::error::Result;
use crate::isa::checked_isa;
use crate::model::adapter::LoraConfig;
use crate::model::train::{Ask, Sequence, TokenOutputs};
use crate::optim::Optimizer;
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
    /// Bound on the memory of a micro-batch's activations, and on that of what sampling keeps for training.
    pub activation_bytes: usize,
}

/// Sequences of a micro-batch and what is asked of them.
pub struct Inputs {
    pub sequences: Vec<Sequence>,
    pub ask: Ask,
    /// Whether common beginnings are computed once.
    pub share: bool,
}

/// Ends one sample of a request, by the request's id and the sample's number, or all of them.
pub type Aborter = Arc<dyn Fn(u64, Option<usize>) + Send + Sync>;

/// What every model can do, whatever its precision.
pub trait AnyModel: Send {
    fn config(&self) -> &ModelConfig;
    fn precision(&self) -> Precision;
    /// Elements of all parameters, and of those that are trained.
    fn parameter_counts(&self) -> (usize, usize);
    /// Memory that the model holds now; what several models share is divided among them.
    fn bytes(&self) -> usize;
    fn parameter_names(&self) -> Vec<String>;
    fn version(&self) -> u64;
    /// How many examples (each of some sequences), from the first, fit the memory of one micro-batch, and whether to
    /// recompute; `recompute` unset leaves that to the model.
    fn fitting(&self, examples: &[Vec<Sequence>], share: bool, recompute: Option<bool>) -> Result<(usize, bool)>;
    fn forward(&mut self, inputs: &Inputs) -> Result<TokenOutputs>;
    /// Forward, keeping what `backward` needs; and whether that was kept from sampling, so that the layers were not
    /// computed again.
    fn forward_keep(&mut self, inputs: &Inputs, recompute: bool) -> Result<(TokenOutputs, bool)>;
    /// Whether sampling keeps what it computes, for forward passes of what was sampled while the weights stay as they
    /// are: at most `activation_bytes`.
    fn keep_sampled(&mut self, on: bool) -> Result<()>;
    /// Lets go of what sampling kept, and of its memory.
    fn forget_sampled(&mut self);
    fn backward(&mut self, gradients: &TokenOutputs) -> Result<()>;
    /// Gives up a micro-batch between its passes, and optionally what gradients hold.
    fn discard(&mut self, gradients: bool);
    fn gradient(&self, name: &str) -> Result<Vec<f32>>;
    fn parameter(&self, name: &str) -> Result<Vec<f32>>;
    fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()>;
    /// Forgets the optimiser's moments and steps.
    fn reset_optimizer(&mut self) -> Result<()>;
    fn step(&mut self, optimizer: Optimizer, max_norm: f64) -> Result<f64>;
    fn trainable(&self, lora: Option<LoraConfig>, value_head: bool, seed: u64) -> Result<Box<dyn AnyModel>>;
    fn snapshot(&self) -> Box<dyn AnyModel>;
    fn sample(&self, runtime: &Runtime, ask: SampleAsk, on_event: Box<dyn FnMut(Event) + Send>) -> Result<()>;
    /// What ends samples early, also when the model is gone.
    fn aborter(&self) -> Aborter;
    fn save_state(&self, directory: &Path) -> Result<()>;
    fn load_state(&mut self, directory: &Path) -> Result<()>;
    /// `base` is what an adapter's folder names as the model below it; empty where that has no name.
    fn save_weights(&self, directory: &Path, bf16: bool, base: &str) -> Result<()>;
    fn load_adapter(&mut self, directory: &Path) -> Result<()>;
    /// This base with a PEFT folder's adapter on it, frozen.
    fn with_adapter(&self, directory: &Path) -> Result<Box<dyn AnyModel>>;
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
