//! What a model is: its family, its sizes and its options, and the parameters that follow from them. Only what the
//! engine computes is here; an architecture or option it does not compute is refused by name (`json`, `limits`).

mod fields;
mod json;
mod limits;
mod write;

#[cfg(test)]
mod tests;

use std::f64::consts::PI;

pub(crate) use fields::Fields;
pub(crate) use limits::{MAX_COUNT, MAX_LAYERS};

/// A family of decoder-only models. All share pre-norm blocks of grouped-query attention and SwiGLU; they differ in
/// biases, in the norm of queries and keys, and in sliding windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
}

/// How rotary frequencies are stretched for contexts longer than the model was first trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    None,
    /// All frequencies divided by `factor`.
    Linear {
        factor: f64,
    },
    /// Low frequencies divided by `factor`, high ones kept, those between interpolated (Llama 3.1).
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_max_position: usize,
    },
}

/// A model's architecture. `from_json` and the GGUF reader give checked ones; call `check` on one built by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    pub family: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub head_dim: usize,
    pub rms_norm_eps: f32,
    /// Positions the model was made for, in tokens.
    pub max_position: usize,
    /// A bias on the query, key and value projections.
    pub qkv_bias: bool,
    /// An RMS norm over each head's query and key, before the rotation.
    pub qk_norm: bool,
    /// The head is the transposed token embedding.
    pub tie_embeddings: bool,
    /// One entry a layer: a token sees itself and the window - 1 tokens before it; `None` sees all before it.
    pub layer_windows: Vec<Option<usize>>,
    pub rope_theta: f64,
    pub rope_scaling: RopeScaling,
    pub bos_token_id: Option<u32>,
    /// Tokens that end a text. Several for models that end a turn and a document differently.
    pub eos_token_ids: Vec<u32>,
    /// Standard deviation of new weights.
    pub initializer_range: f32,
}

/// What a parameter does, which decides how it is initialised, decayed and optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    Embedding,
    Linear,
    Norm,
    Bias,
    Head,
}

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in a Hugging Face checkpoint.
    pub name: String,
    /// Row-major; [outputs, inputs] for a matrix.
    pub shape: Vec<usize>,
    pub kind: ParameterKind,
}

impl ModelConfig {
    /// All parameters, in the order of the forward pass. Allocates one entry a tensor, nothing of the tensors' size.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (hidden, queries, keys) =
            (self.hidden_size, self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim);
        let mut all = Vec::new();
        let mut push = |name: String, shape: &[usize], kind| all.push(Parameter { name, shape: shape.to_vec(), kind });
        push("model.embed_tokens.weight".into(), &[self.vocab_size, hidden], ParameterKind::Embedding);
        for layer in 0..self.num_layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            push(name("input_layernorm.weight"), &[hidden], ParameterKind::Norm);
            for (projection, rows) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
                push(name(&format!("self_attn.{projection}.weight")), &[rows, hidden], ParameterKind::Linear);
                if self.qkv_bias {
                    push(name(&format!("self_attn.{projection}.bias")), &[rows], ParameterKind::Bias);
                }
            }
            if self.qk_norm {
                push(name("self_attn.q_norm.weight"), &[self.head_dim], ParameterKind::Norm);
                push(name("self_attn.k_norm.weight"), &[self.head_dim], ParameterKind::Norm);
            }
            push(name("self_attn.o_proj.weight"), &[hidden, queries], ParameterKind::Linear);
            push(name("post_attention_layernorm.weight"), &[hidden], ParameterKind::Norm);
            push(name("mlp.gate_proj.weight"), &[self.intermediate_size, hidden], ParameterKind::Linear);
            push(name("mlp.up_proj.weight"), &[self.intermediate_size, hidden], ParameterKind::Linear);
            push(name("mlp.down_proj.weight"), &[hidden, self.intermediate_size], ParameterKind::Linear);
        }
        push("model.norm.weight".into(), &[hidden], ParameterKind::Norm);
        if !self.tie_embeddings {
            push("lm_head.weight".into(), &[self.vocab_size, hidden], ParameterKind::Head);
        }
        all
    }

    /// Radians a position for each of the head_dim / 2 rotated pairs, highest first, scaling applied.
    ///
    /// The unscaled ones are theta^(-2i / head_dim), Su et al. 2021 (arXiv 2104.09864); Llama 3.1's scaling is that of
    /// its reference code: by wavelength, kept below original / high, divided by factor above original / low.
    pub fn rope_inverse_frequencies(&self) -> Vec<f64> {
        let frequency = |pair: usize| self.rope_theta.powf(-((2 * pair) as f64) / self.head_dim as f64);
        (0..self.head_dim / 2).map(|pair| self.rope_scaling.apply(frequency(pair))).collect()
    }
}

impl RopeScaling {
    fn apply(&self, frequency: f64) -> f64 {
        match *self {
            RopeScaling::None => frequency,
            RopeScaling::Linear { factor } => frequency / factor,
            RopeScaling::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, original_max_position } => {
                let turns = original_max_position as f64 * frequency / (2.0 * PI);
                // How much of the frequency is kept: none below `low` turns in the original context, all above `high`.
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - kept) * frequency / factor + kept * frequency
            }
        }
    }
}
