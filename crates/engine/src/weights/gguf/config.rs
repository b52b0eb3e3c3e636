//! A GGUF file's metadata as a model configuration.

use crate::config::{Family, MAX_LAYERS, ModelConfig, RopeScaling};
use crate::error::Result;
use crate::weights::gguf::container::GgufFile;
use crate::weights::gguf::dequantize::dequantize;

/// Reads the configuration; options that the engine does not compute are refused by their key.
pub(super) fn read_config(file: &GgufFile) -> Result<ModelConfig> {
    let architecture = file.architecture()?;
    let key = |name: &str| format!("{architecture}.{name}");
    let window = file.count(&key("attention.sliding_window"))?.filter(|window| *window > 0);
    let family = match (architecture, window) {
        // Mistral's files call themselves llama; the two differ in the window alone.
        ("llama", Some(_)) => Family::Mistral,
        ("llama", None) => Family::Llama,
        ("qwen2", None) => Family::Qwen2,
        ("qwen3", None) => Family::Qwen3,
        ("qwen2" | "qwen3", Some(_)) => {
            return Err(
                file.error(&key("attention.sliding_window"), "is set; it is not supported in this architecture")
            );
        }
        (other, _) => {
            let problem = format!("'{other}' is not supported; only llama, qwen2 and qwen3 are");
            return Err(file.error("general.architecture", &problem));
        }
    };
    refuse_unsupported(file, &key)?;
    let count = |name: &str| file.count(&key(name))?.ok_or_else(|| file.error(&key(name), "is missing"));
    let (num_layers, hidden_size, num_heads) =
        (count("block_count")?, count("embedding_length")?, count("attention.head_count")?);
    let rope_theta = file.number(&key("rope.freq_base"))?.unwrap_or(10_000.0);
    let eps = file.number(&key("attention.layer_norm_rms_epsilon"))?;
    let mut config = ModelConfig {
        family,
        vocab_size: read_vocab_size(file, &key("vocab_size"))?,
        hidden_size,
        intermediate_size: count("feed_forward_length")?,
        num_layers,
        num_heads,
        num_kv_heads: file.count(&key("attention.head_count_kv"))?.unwrap_or(num_heads),
        head_dim: read_head_dim(file, &key, hidden_size, num_heads)?,
        rms_norm_eps: eps.ok_or_else(|| file.error(&key("attention.layer_norm_rms_epsilon"), "is missing"))? as f32,
        max_position: count("context_length")?,
        qkv_bias: family == Family::Qwen2,
        qk_norm: family == Family::Qwen3,
        tie_embeddings: !file.tensors.iter().any(|tensor| tensor.name == "output.weight"),
        layer_windows: vec![window; num_layers.min(MAX_LAYERS)],
        rope_theta,
        rope_scaling: read_rope_scaling(file, &key)?,
        bos_token_id: file.token_id("tokenizer.ggml.bos_token_id")?,
        eos_token_ids: read_eos(file)?,
        initializer_range: 0.02,
    };
    config.check(file.name())?;
    if let Some(scaling) = read_rope_factors(file, &key, &config)? {
        config.rope_scaling = scaling;
        config.check(file.name())?;
    }
    Ok(config)
}

fn refuse_unsupported(file: &GgufFile, key: &impl Fn(&str) -> String) -> Result<()> {
    for name in ["expert_count", "expert_used_count"] {
        if file.count(&key(name))?.is_some_and(|experts| experts > 0) {
            return Err(file.error(&key(name), "is set; mixtures of experts are not supported"));
        }
    }
    if file.count("split.count")?.is_some_and(|files| files > 1) {
        return Err(file.error("split.count", "is above 1; merge the parts with llama-gguf-split first"));
    }
    for name in ["logit_scale", "embedding_scale", "residual_scale", "attention.scale", "attn_logit_softcapping"] {
        if file.has(&key(name)) {
            return Err(file.error(&key(name), "is set; it is not supported"));
        }
    }
    Ok(())
}

fn read_vocab_size(file: &GgufFile, key: &str) -> Result<usize> {
    let rows = |name: &str| file.tensors.iter().find(|tensor| tensor.name == name)?.dimensions.get(1).copied();
    let declared = file.count(key)?;
    declared.or_else(|| rows("token_embd.weight")).ok_or_else(|| file.error(key, "is missing"))
}

fn read_head_dim(file: &GgufFile, key: &impl Fn(&str) -> String, hidden: usize, heads: usize) -> Result<usize> {
    let head_dim = match file.count(&key("attention.key_length"))? {
        Some(length) => length,
        None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
        None => return Err(file.error(&key("attention.head_count"), "does not divide embedding_length")),
    };
    for name in ["attention.value_length", "rope.dimension_count"] {
        if let Some(other) = file.count(&key(name))?.filter(|other| *other != head_dim) {
            let problem = format!("is {other}, but heads have {head_dim} dimensions; only equal ones are supported");
            return Err(file.error(&key(name), &problem));
        }
    }
    Ok(head_dim)
}

fn read_rope_scaling(file: &GgufFile, key: &impl Fn(&str) -> String) -> Result<RopeScaling> {
    let factor = match file.number(&key("rope.scaling.factor"))? {
        Some(factor) => Some(factor),
        None => file.number(&key("rope.scale_linear"))?,
    };
    match (file.text(&key("rope.scaling.type"))?, factor) {
        (Some("linear"), Some(factor)) => Ok(RopeScaling::Linear { factor }),
        (Some("linear"), None) => Err(file.error(&key("rope.scaling.factor"), "is missing")),
        (None, Some(factor)) if factor != 1.0 && factor != 0.0 => Ok(RopeScaling::Linear { factor }),
        (None | Some("none"), _) => Ok(RopeScaling::None),
        (Some(other), _) => {
            Err(file.error(&key("rope.scaling.type"), &format!("is '{other}'; only none and linear are supported")))
        }
    }
}

/// Llama 3's scaling, which GGUF stores as the tensor of its divisors rather than as its parameters. Every published model
/// has the thresholds 1 and 4 and the original context 8192; the divisors are compared with those that follow.
fn read_rope_factors(
    file: &GgufFile,
    key: &impl Fn(&str) -> String,
    config: &ModelConfig,
) -> Result<Option<RopeScaling>> {
    let Some(tensor) = file.tensors.iter().find(|tensor| tensor.name == "rope_freqs.weight") else { return Ok(None) };
    let divisors = dequantize(tensor.kind, file.tensor_bytes(tensor));
    let factor = divisors.iter().copied().fold(1.0f32, f32::max);
    let original_max_position = file.count(&key("rope.scaling.original_context_length"))?.unwrap_or(8192);
    let (low_freq_factor, high_freq_factor) = (1.0, 4.0);
    let scaling =
        RopeScaling::Llama3 { factor: f64::from(factor), low_freq_factor, high_freq_factor, original_max_position };
    let plain = ModelConfig { rope_scaling: RopeScaling::None, ..config.clone() }.rope_inverse_frequencies();
    let scaled = ModelConfig { rope_scaling: scaling, ..config.clone() }.rope_inverse_frequencies();
    let agrees =
        |(divisor, (plain, scaled)): (&f32, (&f64, &f64))| (f64::from(*divisor) * scaled / plain - 1.0).abs() < 1e-4;
    if divisors.len() != plain.len() || !divisors.iter().zip(plain.iter().zip(&scaled)).all(agrees) {
        return Err(file.error("rope_freqs.weight", "is not the scaling of Llama 3; no other is supported"));
    }
    Ok(Some(scaling))
}

fn read_eos(file: &GgufFile) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for field in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"] {
        ids.extend(file.token_id(field)?.filter(|id| !ids.contains(id)));
    }
    Ok(ids)
}
