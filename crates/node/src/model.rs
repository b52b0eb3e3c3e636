//! Models: every method hands its work to the engine's thread and gives back a promise.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use napi::bindgen_prelude::{Float32Array, Int32Array, Object, ToNapiValue, Uint32Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, JsDeferred, Result, Status};
use napi_derive::napi;
use whetstone_engine::config::ModelConfig;
use whetstone_engine::error::{Error as EngineError, Result as EngineResult};
use whetstone_engine::model::adapter::LoraConfig;
use whetstone_engine::model::train::{Ask, Sequence, TokenOutputs};
use whetstone_engine::ops::attention::Mask;
use whetstone_engine::optim::{AdamW, Muon, Optimizer};
use whetstone_engine::sample::{Choice, Event, Finish};
use whetstone_engine::session::{
    AnyModel, Inputs, LoadOptions, Precision, Runtime, SampleAsk, SampleEvent, new_model, open_model,
};
use whetstone_engine::weights::Checkpoint;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

fn runtime() -> &'static Runtime {
    RUNTIME.get_or_init(Runtime::start)
}

fn failure(error: EngineError) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}

type Deferred<T> = JsDeferred<T, Box<dyn FnOnce(Env) -> Result<T>>>;

fn settle<T: ToNapiValue + 'static>(deferred: Deferred<T>, result: EngineResult<T>) {
    match result {
        Ok(value) => deferred.resolve(Box::new(move |_| Ok(value))),
        Err(error) => deferred.reject(failure(error)),
    }
}

/// Runs `work` on the engine's thread and gives back a promise of its result.
fn promise<'env, T: ToNapiValue + 'static>(
    env: &'env Env,
    work: impl FnOnce() -> EngineResult<T> + Send + 'static,
) -> Result<Object<'env>> {
    let (deferred, object) = env.create_deferred::<T, Box<dyn FnOnce(Env) -> Result<T>>>()?;
    runtime().submit(work, move |result| settle(deferred, result));
    Ok(object)
}

/// How a model is opened; see `LoadOptions` of the engine.
#[napi(object)]
pub struct NativeLoadOptions {
    /// `f32` or `bf16`.
    pub precision: String,
    pub threads: u32,
    pub kv_bytes: f64,
    pub activation_bytes: f64,
}

impl NativeLoadOptions {
    fn read(&self) -> Result<LoadOptions> {
        let precision = match self.precision.as_str() {
            "f32" => Precision::F32,
            "bf16" => Precision::Bf16,
            other => return Err(Error::from_reason(format!("precision is '{other}'; it may be 'f32' or 'bf16'"))),
        };
        Ok(LoadOptions {
            precision,
            threads: self.threads as usize,
            kv_bytes: self.kv_bytes as usize,
            activation_bytes: self.activation_bytes as usize,
        })
    }
}

/// Sequences, one after another, and what is asked of them.
#[napi(object)]
pub struct NativeInputs {
    pub tokens: Int32Array,
    pub targets: Int32Array,
    pub lengths: Uint32Array,
    /// For each sequence: -1 causal, -2 bidirectional, n >= 0 a bidirectional prefix of n tokens.
    pub masks: Int32Array,
    pub temperature: f64,
    pub entropy: bool,
    pub values: bool,
    pub share: bool,
}

fn read_sequences(inputs: &NativeInputs) -> Result<Vec<Sequence>> {
    let total: usize = inputs.lengths.iter().map(|&length| length as usize).sum();
    if total != inputs.tokens.len() || total != inputs.targets.len() || inputs.masks.len() != inputs.lengths.len() {
        return Err(Error::from_reason("sequences: tokens, targets, lengths and masks do not fit together"));
    }
    let mut at = 0;
    let sequence = |(&length, &mask): (&u32, &i32)| {
        let range = at..at + length as usize;
        at = range.end;
        // A negative token becomes one beyond any vocabulary, which the engine refuses by position.
        let input =
            inputs.tokens[range.clone()].iter().map(|&token| u32::try_from(token).unwrap_or(u32::MAX)).collect();
        let mask = match mask {
            -1 => Mask::Causal,
            -2 => Mask::Bidirectional,
            length => Mask::Prefix(length.max(0) as usize),
        };
        Sequence { input, target: inputs.targets[range].to_vec(), mask }
    };
    Ok(inputs.lengths.iter().zip(inputs.masks.iter()).map(sequence).collect())
}

fn read_inputs(inputs: &NativeInputs) -> Result<Inputs> {
    let sequences = read_sequences(inputs)?;
    let ask = Ask { temperature: inputs.temperature as f32, entropy: inputs.entropy, values: inputs.values };
    Ok(Inputs { sequences, ask, share: inputs.share })
}

/// Numbers for every token, one sequence after another; the shapes of `targets`.
#[napi(object)]
pub struct NativeOutputs {
    pub logprobs: Float32Array,
    pub entropy: Option<Float32Array>,
    pub values: Option<Float32Array>,
}

fn write_outputs(outputs: TokenOutputs) -> NativeOutputs {
    let flat = |rows: Vec<Vec<f32>>| Float32Array::new(rows.concat());
    NativeOutputs {
        logprobs: flat(outputs.logprobs),
        entropy: outputs.entropy.map(flat),
        values: outputs.values.map(flat),
    }
}

fn read_gradients(outputs: &NativeOutputs, lengths: &[u32]) -> Result<TokenOutputs> {
    let total: usize = lengths.iter().map(|&length| length as usize).sum();
    let cut = |values: &Float32Array| -> Result<Vec<Vec<f32>>> {
        if values.len() != total {
            return Err(Error::from_reason(format!("gradients: {} numbers for {total} tokens", values.len())));
        }
        let mut at = 0;
        let row = |&length: &u32| {
            at += length as usize;
            values[at - length as usize..at].to_vec()
        };
        Ok(lengths.iter().map(row).collect())
    };
    Ok(TokenOutputs {
        logprobs: cut(&outputs.logprobs)?,
        entropy: outputs.entropy.as_ref().map(cut).transpose()?,
        values: outputs.values.as_ref().map(cut).transpose()?,
    })
}

/// How a new trained model is made.
#[napi(object)]
pub struct NativeMethod {
    /// Absent: all weights are trained.
    pub rank: Option<u32>,
    pub alpha: Option<f64>,
    pub targets: Option<Vec<String>>,
    pub value_head: bool,
    pub seed: i64,
}

/// One optimiser step. AdamW's settings apply to whatever Muon leaves.
#[napi(object)]
pub struct NativeOptimizer {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub max_norm: f64,
    pub muon_learning_rate: Option<f64>,
    pub muon_momentum: Option<f64>,
    pub muon_weight_decay: Option<f64>,
}

/// What the largest run of examples that fits one micro-batch is.
#[napi(object)]
pub struct NativeFit {
    pub examples: u32,
    pub recompute: bool,
}

/// Samples to draw from one prompt.
#[napi(object)]
pub struct NativeSampleRequest {
    pub id: i64,
    pub prompt: Int32Array,
    pub count: u32,
    pub first_sample: u32,
    pub max_tokens: u32,
    pub temperature: f64,
    pub top_k: u32,
    pub top_p: f64,
    pub min_p: f64,
    pub seed: i64,
    pub stop_tokens: Uint32Array,
    pub bias_tokens: Uint32Array,
    pub bias_values: Float32Array,
    pub top_logprobs: u32,
}

/// One drawn sample.
#[napi(object)]
pub struct NativeSample {
    pub tokens: Int32Array,
    pub logprobs: Float32Array,
    /// `top_logprobs` pairs a token, one token after another.
    pub top_tokens: Int32Array,
    pub top_values: Float32Array,
    pub stop_reason: String,
}

/// A token as it is drawn.
#[napi(object)]
pub struct NativeToken {
    pub sample: u32,
    pub token: u32,
    pub logprob: f64,
}

type OnToken = ThreadsafeFunction<NativeToken, (), NativeToken, Status, false>;

#[derive(Default, Clone)]
struct Drawn {
    tokens: Vec<i32>,
    logprobs: Vec<f32>,
    top: Vec<(u32, f32)>,
    reason: Option<Finish>,
}

impl Drawn {
    fn write(self) -> NativeSample {
        NativeSample {
            tokens: Int32Array::new(self.tokens),
            logprobs: Float32Array::new(self.logprobs),
            top_tokens: Int32Array::new(self.top.iter().map(|top| top.0 as i32).collect()),
            top_values: Float32Array::new(self.top.iter().map(|top| top.1).collect()),
            stop_reason: match self.reason {
                Some(Finish::Stop) => "stop",
                Some(Finish::Length) => "length",
                Some(Finish::Aborted) | None => "aborted",
            }
            .to_string(),
        }
    }
}

type SamplesDeferred = Deferred<Vec<NativeSample>>;

/// Gathers the samples of a request and settles its promise when the last has ended.
struct Gathering {
    drawn: Vec<Drawn>,
    open: usize,
    deferred: Arc<Mutex<Option<SamplesDeferred>>>,
    on_token: Option<OnToken>,
}

impl Gathering {
    fn hear(&mut self, event: SampleEvent) {
        match event {
            SampleEvent::Of(Event::Token(sample, picked)) => {
                if let Some(on_token) = &self.on_token {
                    let (token, logprob) = (picked.token, f64::from(picked.logprob));
                    let said = NativeToken { sample: sample as u32, token, logprob };
                    on_token.call(said, ThreadsafeFunctionCallMode::NonBlocking);
                }
                let drawn = &mut self.drawn[sample];
                drawn.tokens.push(picked.token as i32);
                drawn.logprobs.push(picked.logprob);
                drawn.top.extend(picked.top);
            }
            SampleEvent::Of(Event::End(sample, reason)) => {
                self.drawn[sample].reason = Some(reason);
                self.open -= 1;
                if self.open == 0 {
                    let samples = std::mem::take(&mut self.drawn).into_iter().map(Drawn::write).collect();
                    finish(&self.deferred, Ok(samples));
                }
            }
            SampleEvent::Failed(problem) => finish(&self.deferred, Err(EngineError::new(problem))),
        }
    }
}

fn finish(deferred: &Mutex<Option<SamplesDeferred>>, result: EngineResult<Vec<NativeSample>>) {
    let taken = deferred.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(deferred) = taken {
        settle(deferred, result);
    }
}

type Shared = Arc<Mutex<Box<dyn AnyModel>>>;

/// A model on the engine's thread.
#[napi]
pub struct NativeModel {
    inner: Shared,
    config: String,
    total: f64,
    trained: f64,
    tokenizer: Option<String>,
    template: Option<String>,
    digest: Option<String>,
}

impl NativeModel {
    fn new(model: Box<dyn AnyModel>) -> Self {
        let (total, trained) = model.parameter_counts();
        Self {
            config: model.config().to_json(),
            total: total as f64,
            trained: trained as f64,
            inner: Arc::new(Mutex::new(model)),
            tokenizer: None,
            template: None,
            digest: None,
        }
    }

    fn run<'env, T: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&mut dyn AnyModel) -> EngineResult<T> + Send + 'static,
    ) -> Result<Object<'env>> {
        let inner = Arc::clone(&self.inner);
        promise(env, move || work(&mut **inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Opens a checkpoint folder or a .gguf file.
#[napi(ts_return_type = "Promise<NativeModel>")]
pub fn open<'env>(env: &'env Env, path: String, options: NativeLoadOptions) -> Result<Object<'env>> {
    let options = options.read()?;
    promise(env, move || {
        let checkpoint = Arc::new(Checkpoint::open(&PathBuf::from(path))?);
        let mut model = NativeModel::new(open_model(Arc::clone(&checkpoint), &options)?);
        model.tokenizer.clone_from(&checkpoint.tokenizer_json);
        model.template.clone_from(&checkpoint.chat_template);
        model.digest = Some(checkpoint.digest()?);
        Ok(model)
    })
}

/// Makes a new model from the text of a config.json.
#[napi(ts_return_type = "Promise<NativeModel>")]
pub fn create<'env>(env: &'env Env, config: String, seed: i64, options: NativeLoadOptions) -> Result<Object<'env>> {
    let options = options.read()?;
    promise(env, move || {
        let config = ModelConfig::from_json(&config, "the configuration")?;
        Ok(NativeModel::new(new_model(config, seed as u64, &options)?))
    })
}

#[napi]
impl NativeModel {
    #[napi(getter)]
    pub fn config(&self) -> String {
        self.config.clone()
    }

    #[napi(getter)]
    pub fn parameters(&self) -> f64 {
        self.total
    }

    #[napi(getter)]
    pub fn trained_parameters(&self) -> f64 {
        self.trained
    }

    #[napi(getter)]
    pub fn tokenizer_json(&self) -> Option<String> {
        self.tokenizer.clone()
    }

    #[napi(getter)]
    pub fn chat_template(&self) -> Option<String> {
        self.template.clone()
    }

    #[napi(getter)]
    pub fn digest(&self) -> Option<String> {
        self.digest.clone()
    }

    #[napi(ts_return_type = "Promise<string[]>")]
    pub fn parameter_names<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.run(env, |model| Ok(model.parameter_names()))
    }

    #[napi(ts_return_type = "Promise<number>")]
    pub fn version<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.run(env, |model| Ok(model.version() as f64))
    }

    /// How many of the examples (`counts` sequences each), from the first, one micro-batch holds. `recompute`: what the pass
    /// will do; absent, the answer says what it must.
    #[napi(ts_return_type = "Promise<NativeFit>")]
    pub fn fitting<'env>(
        &self,
        env: &'env Env,
        inputs: NativeInputs,
        counts: Uint32Array,
        recompute: Option<bool>,
    ) -> Result<Object<'env>> {
        let share = inputs.share;
        let mut sequences = read_sequences(&inputs)?.into_iter();
        let examples: Vec<Vec<Sequence>> =
            counts.iter().map(|&count| sequences.by_ref().take(count as usize).collect()).collect();
        self.run(env, move |model| {
            let (examples, recompute) = model.fitting(&examples, share, recompute)?;
            Ok(NativeFit { examples: examples as u32, recompute })
        })
    }

    #[napi(ts_return_type = "Promise<NativeOutputs>")]
    pub fn forward<'env>(&self, env: &'env Env, inputs: NativeInputs) -> Result<Object<'env>> {
        let inputs = read_inputs(&inputs)?;
        self.run(env, move |model| Ok(write_outputs(model.forward(&inputs)?)))
    }

    #[napi(ts_return_type = "Promise<NativeOutputs>")]
    pub fn forward_keep<'env>(&self, env: &'env Env, inputs: NativeInputs, recompute: bool) -> Result<Object<'env>> {
        let inputs = read_inputs(&inputs)?;
        self.run(env, move |model| Ok(write_outputs(model.forward_keep(&inputs, recompute)?)))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn backward<'env>(
        &self,
        env: &'env Env,
        gradients: NativeOutputs,
        lengths: Uint32Array,
    ) -> Result<Object<'env>> {
        let gradients = read_gradients(&gradients, &lengths)?;
        self.run(env, move |model| model.backward(&gradients))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn discard<'env>(&self, env: &'env Env, gradients: bool) -> Result<Object<'env>> {
        self.run(env, move |model| {
            model.discard(gradients);
            Ok(())
        })
    }

    #[napi(ts_return_type = "Promise<Float32Array>")]
    pub fn gradient<'env>(&self, env: &'env Env, name: String) -> Result<Object<'env>> {
        self.run(env, move |model| Ok(Float32Array::new(model.gradient(&name)?)))
    }

    #[napi(ts_return_type = "Promise<Float32Array>")]
    pub fn parameter<'env>(&self, env: &'env Env, name: String) -> Result<Object<'env>> {
        self.run(env, move |model| Ok(Float32Array::new(model.parameter(&name)?)))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn set_parameter<'env>(&self, env: &'env Env, name: String, values: Float32Array) -> Result<Object<'env>> {
        let values = values.to_vec();
        self.run(env, move |model| model.set_parameter(&name, &values))
    }

    #[napi(ts_return_type = "Promise<number>")]
    pub fn step<'env>(&self, env: &'env Env, settings: NativeOptimizer) -> Result<Object<'env>> {
        let adamw = AdamW {
            learning_rate: settings.learning_rate as f32,
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            weight_decay: settings.weight_decay as f32,
        };
        let optimizer = match settings.muon_learning_rate {
            None => Optimizer::AdamW(adamw),
            Some(learning_rate) => {
                let momentum = settings.muon_momentum.unwrap_or(0.95) as f32;
                let weight_decay = settings.muon_weight_decay.unwrap_or(0.0) as f32;
                Optimizer::Muon(Muon { learning_rate: learning_rate as f32, momentum, weight_decay }, adamw)
            }
        };
        self.run(env, move |model| model.step(optimizer, settings.max_norm))
    }

    #[napi(ts_return_type = "Promise<NativeModel>")]
    pub fn trainable<'env>(&self, env: &'env Env, method: NativeMethod) -> Result<Object<'env>> {
        let NativeMethod { rank, alpha, targets, value_head, seed } = method;
        let lora = rank.map(|rank| LoraConfig {
            rank: rank as usize,
            alpha: alpha.unwrap_or(f64::from(rank)) as f32,
            targets: targets.unwrap_or_default(),
        });
        self.run(env, move |model| Ok(NativeModel::new(model.trainable(lora, value_head, seed as u64)?)))
    }

    #[napi(ts_return_type = "Promise<NativeModel>")]
    pub fn snapshot<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.run(env, |model| Ok(NativeModel::new(model.snapshot())))
    }

    #[napi(ts_return_type = "Promise<NativeSample[]>")]
    pub fn sample<'env>(
        &self,
        env: &'env Env,
        request: NativeSampleRequest,
        on_token: Option<OnToken>,
    ) -> Result<Object<'env>> {
        let (deferred, object) =
            env.create_deferred::<Vec<NativeSample>, Box<dyn FnOnce(Env) -> Result<Vec<NativeSample>>>>()?;
        let deferred = Arc::new(Mutex::new(Some(deferred)));
        let count = request.count as usize;
        let mut gathering =
            Gathering { drawn: vec![Drawn::default(); count], open: count, deferred: Arc::clone(&deferred), on_token };
        let ask = SampleAsk {
            id: request.id as u64,
            prompt: request.prompt.iter().map(|&token| u32::try_from(token).unwrap_or(u32::MAX)).collect(),
            count,
            first_sample: u64::from(request.first_sample),
            max_tokens: request.max_tokens as usize,
            choice: Choice {
                temperature: request.temperature as f32,
                top_k: request.top_k as usize,
                top_p: request.top_p as f32,
                min_p: request.min_p as f32,
                seed: request.seed as u64,
                bias: request.bias_tokens.iter().copied().zip(request.bias_values.iter().copied()).collect(),
                top_logprobs: request.top_logprobs as usize,
            },
            stop_tokens: request.stop_tokens.to_vec(),
        };
        let inner = Arc::clone(&self.inner);
        let work = move || {
            let model = inner.lock().unwrap_or_else(PoisonError::into_inner);
            model.sample(runtime(), ask, Box::new(move |event| gathering.hear(event)))
        };
        runtime().submit(work, move |result| {
            if let Err(error) = result {
                finish(&deferred, Err(error));
            }
        });
        Ok(object)
    }

    /// Ends one sample of a request.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn abort<'env>(&self, env: &'env Env, id: i64, sample: Option<u32>) -> Result<Object<'env>> {
        self.run(env, move |model| {
            model.abort(id as u64, sample.map(|sample| sample as usize));
            Ok(())
        })
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn save_state<'env>(&self, env: &'env Env, directory: String) -> Result<Object<'env>> {
        self.run(env, move |model| model.save_state(&PathBuf::from(directory)))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn load_state<'env>(&self, env: &'env Env, directory: String) -> Result<Object<'env>> {
        self.run(env, move |model| model.load_state(&PathBuf::from(directory)))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn save_weights<'env>(&self, env: &'env Env, directory: String, bf16: bool) -> Result<Object<'env>> {
        self.run(env, move |model| model.save_weights(&PathBuf::from(directory), bf16))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn load_adapter<'env>(&self, env: &'env Env, directory: String) -> Result<Object<'env>> {
        self.run(env, move |model| model.load_adapter(&PathBuf::from(directory)))
    }
}
