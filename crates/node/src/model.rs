//! Models: every method hands its work to the engine's thread and gives back a promise.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Float32Array, Object, ObjectFinalize, ToNapiValue, Uint32Array};
use napi::{Env, Result};
use napi_derive::napi;
use whetstone_engine::config::ModelConfig;
use whetstone_engine::error::{Error as EngineError, Result as EngineResult};
use whetstone_engine::memory::is_news;
use whetstone_engine::model::train::Sequence;
use whetstone_engine::session::{Aborter, AnyModel, new_model, open_model};
use whetstone_engine::weights::{AdapterBase, Checkpoint, read_adapter_base};

use crate::options::{NativeAdapterBase, NativeFit, NativeLoadOptions, NativeMethod, NativeOptimizer};
use crate::promises::{promise, runtime};
use crate::sampling::{Gathering, NativeSample, NativeSampleRequest, OnToken, finish};
use crate::sequences::{NativeInputs, NativeOutputs, read_gradients, read_inputs, read_sequences, write_outputs};

/// Memory that a model holds outside JavaScript's heap, as JavaScript's collector was told.
#[derive(Default)]
struct Held(AtomicI64);

impl Held {
    /// Tells the collector how much it is now, where that is news, so that models which nobody can reach do not stay for long.
    fn set(&self, env: &Env, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if !is_news(self.0.load(Ordering::Relaxed), bytes) {
            return;
        }
        let change = bytes - self.0.swap(bytes, Ordering::Relaxed);
        // The collector takes it as a hint, and there is nobody to tell of a failure.
        let _ = env.adjust_external_memory(change);
    }
}

/// A model; none once it was disposed.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Box<dyn AnyModel>>>>);

impl Shared {
    /// Runs `work` on the model; with its result comes the model's size after it.
    fn with<T>(&self, work: impl FnOnce(&mut dyn AnyModel) -> EngineResult<T>) -> EngineResult<(T, usize)> {
        let mut model = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(model) = model.as_mut() else {
            return Err(EngineError::new("this model was disposed; open or make it again"));
        };
        let value = work(&mut **model)?;
        Ok((value, model.bytes()))
    }
}

/// A model on the engine's thread.
#[napi(custom_finalize)]
pub struct NativeModel {
    inner: Shared,
    held: Arc<Held>,
    /// Bytes at its making.
    bytes: usize,
    abort: Aborter,
    config: String,
    total: f64,
    trained: f64,
    tokenizer: Option<String>,
    template: Option<String>,
    digest: Option<String>,
}

impl ObjectFinalize for NativeModel {
    fn finalize(self, env: Env) -> Result<()> {
        self.held.set(&env, 0);
        Ok(())
    }
}

impl NativeModel {
    fn new(model: Box<dyn AnyModel>) -> Self {
        let (total, trained) = model.parameter_counts();
        Self {
            config: model.config().to_json(),
            total: total as f64,
            trained: trained as f64,
            bytes: model.bytes(),
            abort: model.aborter(),
            inner: Shared(Arc::new(Mutex::new(Some(model)))),
            held: Arc::default(),
            tokenizer: None,
            template: None,
            digest: None,
        }
    }

    /// A model that has come to JavaScript.
    fn arrive(env: &Env, model: Self) -> Self {
        model.held.set(env, model.bytes);
        model
    }

    fn run<'env, T: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&mut dyn AnyModel) -> EngineResult<T> + Send + 'static,
    ) -> Result<Object<'env>> {
        let (inner, held) = (self.inner.clone(), Arc::clone(&self.held));
        promise(
            env,
            move || inner.with(work),
            move |env, (value, bytes)| {
                held.set(env, bytes);
                value
            },
        )
    }

    /// As `run`, for work that makes another model.
    fn make<'env>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&mut dyn AnyModel) -> EngineResult<Box<dyn AnyModel>> + Send + 'static,
    ) -> Result<Object<'env>> {
        let inner = self.inner.clone();
        promise(env, move || inner.with(|model| Ok(Self::new(work(model)?))), |env, (made, _)| Self::arrive(env, made))
    }
}

/// Opens a checkpoint folder or a .gguf file.
#[napi(ts_return_type = "Promise<NativeModel>")]
pub fn open<'env>(env: &'env Env, path: String, options: NativeLoadOptions) -> Result<Object<'env>> {
    let options = options.read()?;
    let work = move || {
        let checkpoint = Arc::new(Checkpoint::open(&PathBuf::from(path))?);
        let mut model = NativeModel::new(open_model(Arc::clone(&checkpoint), &options)?);
        model.tokenizer.clone_from(&checkpoint.tokenizer_json);
        model.template.clone_from(&checkpoint.chat_template);
        model.digest = Some(checkpoint.digest()?);
        Ok(model)
    };
    promise(env, work, NativeModel::arrive)
}

/// Makes a new model from the text of a config.json.
#[napi(ts_return_type = "Promise<NativeModel>")]
pub fn create<'env>(env: &'env Env, config: String, seed: i64, options: NativeLoadOptions) -> Result<Object<'env>> {
    let options = options.read()?;
    let work = move || {
        let config = ModelConfig::from_json(&config, "the configuration")?;
        Ok(NativeModel::new(new_model(config, seed as u64, &options)?))
    };
    promise(env, work, NativeModel::arrive)
}

/// Names the base of a PEFT adapter's folder.
#[napi(ts_return_type = "Promise<NativeAdapterBase>")]
pub fn adapter_base<'env>(env: &'env Env, directory: String) -> Result<Object<'env>> {
    let work = move || read_adapter_base(&PathBuf::from(directory));
    promise(env, work, |_, AdapterBase { name, revision }| NativeAdapterBase { name, revision })
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
        self.run(env, move |model| Ok(write_outputs(model.forward(&inputs)?, false)))
    }

    #[napi(ts_return_type = "Promise<NativeOutputs>")]
    pub fn forward_keep<'env>(&self, env: &'env Env, inputs: NativeInputs, recompute: bool) -> Result<Object<'env>> {
        let inputs = read_inputs(&inputs)?;
        self.run(env, move |model| {
            let (outputs, sampled) = model.forward_keep(&inputs, recompute)?;
            Ok(write_outputs(outputs, sampled))
        })
    }

    /// Whether sampling keeps what it computes, for the passes that train on it.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn keep_sampled<'env>(&self, env: &'env Env, on: bool) -> Result<Object<'env>> {
        self.run(env, move |model| model.keep_sampled(on))
    }

    /// Lets go of what sampling kept. A model that was disposed has nothing.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn forget_sampled<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (inner, held) = (self.inner.clone(), Arc::clone(&self.held));
        let work = move || {
            let mut model = inner.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(model.as_mut().map_or(0, |model| {
                model.forget_sampled();
                model.bytes()
            }))
        };
        promise(env, work, move |env, bytes| held.set(env, bytes))
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

    #[napi(ts_return_type = "Promise<void>")]
    pub fn reset_optimizer<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.run(env, |model| model.reset_optimizer())
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
        let optimizer = settings.read();
        self.run(env, move |model| model.step(optimizer, settings.max_norm))
    }

    #[napi(ts_return_type = "Promise<NativeModel>")]
    pub fn trainable<'env>(&self, env: &'env Env, method: NativeMethod) -> Result<Object<'env>> {
        let (value_head, seed) = (method.value_head, method.seed as u64);
        let lora = method.lora();
        self.make(env, move |model| model.trainable(lora, value_head, seed))
    }

    #[napi(ts_return_type = "Promise<NativeModel>")]
    pub fn snapshot<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.make(env, |model| Ok(model.snapshot()))
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
        let mut gathering = Gathering::new(request.count as usize, Arc::clone(&deferred), on_token);
        let (ask, inner) = (request.read(), self.inner.clone());
        let work = move || {
            let hear = Box::new(move |event| gathering.hear(event));
            inner.with(|model| model.sample(runtime(), ask, hear))
        };
        runtime().submit(work, move |result| {
            if let Err(error) = result {
                finish(&deferred, Err(error));
            }
        });
        Ok(object)
    }

    /// Ends one sample of a request, or all of them.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn abort<'env>(&self, env: &'env Env, id: i64, sample: Option<u32>) -> Result<Object<'env>> {
        let abort = Arc::clone(&self.abort);
        let work = move || {
            abort(id as u64, sample.map(|sample| sample as usize));
            Ok(())
        };
        promise(env, work, |_, ()| ())
    }

    /// Frees the model; what was asked before it is done first, and samples in flight go on to their end. Every later call
    /// but this one and `abort` fails.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn dispose<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (inner, held) = (self.inner.clone(), Arc::clone(&self.held));
        let work = move || {
            drop(inner.0.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(())
        };
        promise(env, work, move |env, ()| held.set(env, 0))
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
    pub fn save_weights<'env>(
        &self,
        env: &'env Env,
        directory: String,
        bf16: bool,
        base: String,
    ) -> Result<Object<'env>> {
        self.run(env, move |model| model.save_weights(&PathBuf::from(directory), bf16, &base))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn load_adapter<'env>(&self, env: &'env Env, directory: String) -> Result<Object<'env>> {
        self.run(env, move |model| model.load_adapter(&PathBuf::from(directory)))
    }

    /// This base with a PEFT folder's adapter on it, frozen.
    #[napi(ts_return_type = "Promise<NativeModel>")]
    pub fn with_adapter<'env>(&self, env: &'env Env, directory: String) -> Result<Object<'env>> {
        self.make(env, move |model| model.with_adapter(&PathBuf::from(directory)))
    }
}
