//! Requests for samples, and the samples as they are gathered.

use std::sync::{Arc, Mutex, PoisonError};

use napi::Status;
use napi::bindgen_prelude::{Float32Array, Int32Array, Uint32Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use whetstone_engine::error::{Error as EngineError, Result as EngineResult};
use whetstone_engine::sample::{Choice, Event, Finish};
use whetstone_engine::session::SampleAsk;

use crate::promises::{Deferred, settle};

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

impl NativeSampleRequest {
    pub fn read(self) -> SampleAsk {
        SampleAsk {
            id: self.id as u64,
            // A negative token becomes one beyond any vocabulary, which the engine refuses by position.
            prompt: self.prompt.iter().map(|&token| u32::try_from(token).unwrap_or(u32::MAX)).collect(),
            count: self.count as usize,
            first_sample: u64::from(self.first_sample),
            max_tokens: self.max_tokens as usize,
            choice: Choice {
                temperature: self.temperature as f32,
                top_k: self.top_k as usize,
                top_p: self.top_p as f32,
                min_p: self.min_p as f32,
                seed: self.seed as u64,
                bias: self.bias_tokens.iter().copied().zip(self.bias_values.iter().copied()).collect(),
                top_logprobs: self.top_logprobs as usize,
            },
            stop_tokens: self.stop_tokens.to_vec(),
        }
    }
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

pub type OnToken = ThreadsafeFunction<NativeToken, (), NativeToken, Status, false>;

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

pub type SamplesDeferred = Deferred<Vec<NativeSample>>;

/// Gathers the samples of a request and settles its promise when the last has ended.
pub struct Gathering {
    drawn: Vec<Drawn>,
    open: usize,
    deferred: Arc<Mutex<Option<SamplesDeferred>>>,
    on_token: Option<OnToken>,
}

impl Gathering {
    pub fn new(count: usize, deferred: Arc<Mutex<Option<SamplesDeferred>>>, on_token: Option<OnToken>) -> Self {
        Self { drawn: vec![Drawn::default(); count], open: count, deferred, on_token }
    }

    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Token(sample, picked) => {
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
            Event::End(sample, reason) => {
                self.drawn[sample].reason = Some(reason);
                self.open -= 1;
                if self.open == 0 {
                    let samples = std::mem::take(&mut self.drawn).into_iter().map(Drawn::write).collect();
                    finish(&self.deferred, Ok(samples));
                }
            }
            Event::Failed(problem) => finish(&self.deferred, Err(EngineError::new(problem))),
        }
    }
}

pub fn finish(deferred: &Mutex<Option<SamplesDeferred>>, result: EngineResult<Vec<NativeSample>>) {
    let taken = deferred.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(deferred) = taken {
        settle(deferred, result);
    }
}
