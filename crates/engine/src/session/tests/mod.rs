mod passes;
mod sampling;
mod state;
mod tape;
mod trainable;

use super::{AnyModel, Inputs, LoadOptions, Precision, new_model};
use crate::config::ModelConfig;
use crate::model::adapter::LoraConfig;
use crate::model::init::Random;
use crate::model::train::{Ask, Sequence, TokenOutputs};
use crate::ops::attention::Mask;
use crate::optim::{AdamW, Optimizer};

pub(super) const VOCABULARY: usize = 40;

/// A model of a few thousand parameters, its weights drawn.
pub(super) fn tiny(precision: Precision) -> Box<dyn AnyModel> {
    tiny_with(LoadOptions { precision, threads: 2, kv_bytes: 1 << 20, activation_bytes: 1 << 24 })
}

pub(super) fn tiny_with(options: LoadOptions) -> Box<dyn AnyModel> {
    let text = r#"{"model_type": "qwen2", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 256,
        "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": true, "initializer_range": 0.3}"#;
    new_model(ModelConfig::from_json(text, "tiny").unwrap(), 1, &options).unwrap()
}

pub(super) fn lora(rank: usize) -> LoraConfig {
    let targets = ["q_proj", "v_proj", "down_proj"].map(String::from).to_vec();
    LoraConfig { rank, alpha: 3.0 * rank as f32, targets }
}

/// Random tokens, each position asked for the next.
pub(super) fn sequence(seed: u64, length: usize) -> Sequence {
    let mut random = Random::new(seed);
    let tokens: Vec<u32> = (0..=length).map(|_| (random.uniform() * VOCABULARY as f32) as u32).collect();
    let target = tokens[1..].iter().map(|&token| token as i32).collect();
    Sequence { input: tokens[..length].to_vec(), target, mask: Mask::Causal }
}

pub(super) fn inputs(sequences: Vec<Sequence>, values: bool) -> Inputs {
    Inputs { sequences, ask: Ask { temperature: 1.0, entropy: false, values }, share: true }
}

/// What a model says of one fixed sequence.
pub(super) fn says(model: &mut dyn AnyModel, values: bool) -> TokenOutputs {
    model.forward(&inputs(vec![sequence(99, 30)], values)).unwrap()
}

/// One pass whose gradients are all 1 and differ from token to token by the model's doing alone.
pub(super) fn accumulate(model: &mut dyn AnyModel, seed: u64, values: bool) {
    let (outputs, _) = model.forward_keep(&inputs(vec![sequence(seed, 20)], values), false).unwrap();
    let ones = |rows: &Vec<Vec<f32>>| rows.iter().map(|row| vec![1.0; row.len()]).collect();
    let gradients =
        TokenOutputs { logprobs: ones(&outputs.logprobs), entropy: None, values: outputs.values.as_ref().map(ones) };
    model.backward(&gradients).unwrap();
}

pub(super) fn adamw() -> Optimizer {
    Optimizer::AdamW(AdamW { learning_rate: 0.02, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.0 })
}

pub(super) fn train(model: &mut dyn AnyModel, steps: u64, values: bool) {
    for seed in 0..steps {
        accumulate(model, seed, values);
        model.step(adamw(), 1.0).unwrap();
    }
}

/// Largest difference.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
