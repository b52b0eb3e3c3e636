//! How models are opened, made and trained, as JavaScript says it.

use napi::{Error, Result};
use napi_derive::napi;
use whetstone_engine::model::adapter::LoraConfig;
use whetstone_engine::optim::{AdamW, Muon, Optimizer};
use whetstone_engine::session::{LoadOptions, Precision};

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
    pub fn read(&self) -> Result<LoadOptions> {
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

impl NativeMethod {
    /// The adapter's settings, where one is asked for.
    pub fn lora(self) -> Option<LoraConfig> {
        let Self { rank, alpha, targets, .. } = self;
        rank.map(|rank| LoraConfig {
            rank: rank as usize,
            alpha: alpha.unwrap_or(f64::from(rank)) as f32,
            targets: targets.unwrap_or_default(),
        })
    }
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

impl NativeOptimizer {
    pub fn read(&self) -> Optimizer {
        let adamw = AdamW {
            learning_rate: self.learning_rate as f32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            epsilon: self.epsilon as f32,
            weight_decay: self.weight_decay as f32,
        };
        match self.muon_learning_rate {
            None => Optimizer::AdamW(adamw),
            Some(learning_rate) => {
                let momentum = self.muon_momentum.unwrap_or(0.95) as f32;
                let weight_decay = self.muon_weight_decay.unwrap_or(0.0) as f32;
                Optimizer::Muon(Muon { learning_rate: learning_rate as f32, momentum, weight_decay }, adamw)
            }
        }
    }
}

/// What the largest run of examples that fits one micro-batch is.
#[napi(object)]
pub struct NativeFit {
    pub examples: u32,
    pub recompute: bool,
}

/// The model that an adapter was trained on; see `AdapterBase` of the engine.
#[napi(object)]
pub struct NativeAdapterBase {
    pub name: String,
    pub revision: Option<String>,
}
