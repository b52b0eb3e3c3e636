//! `config.json` as Hugging Face writes it: the older form (`rope_theta`, `rope_scaling`) and the newer
//! (`rope_parameters`). A field left out has the default that `transformers` gives it.

use serde_json::Value;

use crate::config::{Family, Fields, MAX_LAYERS, ModelConfig, RopeScaling};
use crate::error::{Error, Result};

/// Model types and the class whose checkpoints have the parameters that `ModelConfig::parameters` lists.
const FAMILIES: [(&str, &str, Family); 4] = [
    ("llama", "LlamaForCausalLM", Family::Llama),
    ("mistral", "MistralForCausalLM", Family::Mistral),
    ("qwen2", "Qwen2ForCausalLM", Family::Qwen2),
    ("qwen3", "Qwen3ForCausalLM", Family::Qwen3),
];

impl Family {
    pub(crate) fn model_type(self) -> &'static str {
        FAMILIES.iter().find(|(_, _, family)| *family == self).expect("every family is listed").0
    }

    pub(crate) fn architecture(self) -> &'static str {
        FAMILIES.iter().find(|(_, _, family)| *family == self).expect("every family is listed").1
    }
}

fn family_of_model_type(model_type: &str) -> Option<Family> {
    FAMILIES.iter().find(|(name, _, _)| *name == model_type).map(|(_, _, family)| *family)
}

impl ModelConfig {
    /// Reads the text of a `config.json`; `file` is the name that errors give it.
    ///
    /// # Errors
    /// Names the field that is missing, out of range, or asks for something the engine does not compute.
    pub fn from_json(text: &str, file: &str) -> Result<Self> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| Error::new(format!("{file}: not valid JSON: {error}")))?;
        let fields = Fields::of(&value, file, "")?;
        let family = read_family(&fields)?;
        refuse_unsupported(&fields, family)?;
        let count = |name: &str| fields.required(name, fields.count(name)?);
        let (hidden_size, num_heads, num_layers) =
            (count("hidden_size")?, count("num_attention_heads")?, count("num_hidden_layers")?);
        let num_kv_heads = match fields.count("num_key_value_heads")? {
            Some(heads) => heads,
            None if family == Family::Llama || fields.has("num_key_value_heads") => num_heads,
            None => count("num_key_value_heads")?,
        };
        let (rope_theta, rope_scaling) = read_rope(&fields)?;
        let config = Self {
            family,
            vocab_size: count("vocab_size")?,
            hidden_size,
            intermediate_size: count("intermediate_size")?,
            num_layers,
            num_heads,
            num_kv_heads,
            head_dim: read_head_dim(&fields, family, hidden_size, num_heads)?,
            rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            max_position: count("max_position_embeddings")?,
            qkv_bias: family == Family::Qwen2,
            qk_norm: family == Family::Qwen3,
            tie_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            layer_windows: read_windows(&fields, family, num_layers)?,
            rope_theta,
            rope_scaling,
            bos_token_id: fields.token_ids("bos_token_id")?.first().copied(),
            eos_token_ids: fields.token_ids("eos_token_id")?,
            initializer_range: fields.number("initializer_range")?.unwrap_or(0.02) as f32,
        };
        config.check(file)?;
        Ok(config)
    }
}

fn read_family(fields: &Fields) -> Result<Family> {
    let known = FAMILIES.map(|(_, architecture, _)| architecture).join(", ");
    let refuse =
        |name: &str, value: &str| Err(fields.error(name, &format!("'{value}' is not supported; only {known}")));
    let architecture = fields.texts("architectures")?.and_then(|names| names.first().copied());
    let by_architecture = match architecture {
        None => None,
        Some(name) => match FAMILIES.iter().find(|(_, architecture, _)| *architecture == name) {
            Some((_, _, family)) => Some(*family),
            None => return refuse("architectures", name),
        },
    };
    let by_type = match fields.text("model_type")? {
        None => None,
        Some(name) => match family_of_model_type(name) {
            Some(family) => Some(family),
            None => return refuse("model_type", name),
        },
    };
    match (by_type, by_architecture) {
        (Some(a), Some(b)) if a != b => Err(fields.error("model_type", "and architectures name different models")),
        (Some(family), _) | (None, Some(family)) => Ok(family),
        (None, None) => Err(fields.error("model_type", "is missing")),
    }
}

/// Options that change what the model computes and that the engine does not have.
fn refuse_unsupported(fields: &Fields, family: Family) -> Result<()> {
    let refuse = |name: &str, why: &str| Err(fields.error(name, why));
    if let Some(act) = fields.text("hidden_act")?.filter(|act| *act != "silu" && *act != "swish") {
        return refuse("hidden_act", &format!("is '{act}'; only silu is supported"));
    }
    // In these families the option also puts a bias on o_proj.
    if family != Family::Qwen2 && fields.flag("attention_bias")? == Some(true) {
        return refuse("attention_bias", "is true; a bias on o_proj is not supported");
    }
    for name in ["mlp_bias", "use_mrope", "is_encoder_decoder", "add_cross_attention"] {
        if fields.flag(name)? == Some(true) {
            return refuse(name, "is true; it is not supported");
        }
    }
    for name in ["num_experts", "num_local_experts", "n_routed_experts"] {
        if fields.count(name)?.is_some_and(|experts| experts > 0) {
            return refuse(name, "is set; mixtures of experts are not supported");
        }
    }
    for name in ["quantization_config", "compression_config"] {
        if fields.get(name).is_some() {
            return refuse(name, "is set; quantised safetensors are not supported, use the original or a GGUF file");
        }
    }
    for name in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if fields.get(name).is_some() {
            return refuse(name, "is set; it is not supported");
        }
    }
    match fields.number("partial_rotary_factor")? {
        Some(factor) if factor != 1.0 => refuse("partial_rotary_factor", &format!("is {factor}; only 1 is supported")),
        _ => Ok(()),
    }
}

fn read_head_dim(fields: &Fields, family: Family, hidden_size: usize, num_heads: usize) -> Result<usize> {
    if let Some(head_dim) = fields.count("head_dim")? {
        return Ok(head_dim);
    }
    if family == Family::Qwen3 {
        return Ok(128);
    }
    if num_heads == 0 || !hidden_size.is_multiple_of(num_heads) {
        let problem =
            format!("({hidden_size}) is no multiple of num_attention_heads ({num_heads}), and head_dim is missing");
        return Err(fields.error("hidden_size", &problem));
    }
    Ok(hidden_size / num_heads)
}

fn read_rope(fields: &Fields) -> Result<(f64, RopeScaling)> {
    let (name, scaling) = match fields.object("rope_parameters")? {
        Some(scaling) => ("rope_parameters", Some(scaling)),
        None => ("rope_scaling", fields.object("rope_scaling")?),
    };
    let outer = fields.number("rope_theta")?;
    let Some(scaling) = scaling else { return Ok((outer.unwrap_or(10_000.0), RopeScaling::None)) };
    let inner = scaling.number("rope_theta")?;
    if let (Some(outer), Some(inner)) = (outer, inner)
        && outer != inner
    {
        return Err(fields.error("rope_theta", &format!("is {outer} but {name}.rope_theta is {inner}; keep one")));
    }
    if scaling.number("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
        return Err(scaling.error("partial_rotary_factor", "is not 1; it is not supported"));
    }
    let factor = |field: &str| scaling.required(field, scaling.number(field)?);
    let kind = scaling.text("rope_type")?.or(scaling.text("type")?).unwrap_or("default");
    let parsed = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: factor("factor")? },
        "llama3" => RopeScaling::Llama3 {
            factor: factor("factor")?,
            low_freq_factor: factor("low_freq_factor")?,
            high_freq_factor: factor("high_freq_factor")?,
            original_max_position: scaling
                .required("original_max_position_embeddings", scaling.count("original_max_position_embeddings")?)?,
        },
        other => {
            let problem = format!("is '{other}'; only default, linear and llama3 are supported");
            return Err(scaling.error("rope_type", &problem));
        }
    };
    Ok((inner.or(outer).unwrap_or(10_000.0), parsed))
}

/// The window of each layer. Mistral has one for all; Qwen has one from layer `max_window_layers` on, or as
/// `layer_types` says; Llama has none.
fn read_windows(fields: &Fields, family: Family, layers: usize) -> Result<Vec<Option<usize>>> {
    let declared = fields.count("sliding_window")?;
    let window = match family {
        Family::Llama if declared.is_some() => {
            return Err(fields.error("sliding_window", "is set; Llama models have no sliding window"));
        }
        Family::Llama => None,
        // A Mistral that does not mention its window has the first release's.
        Family::Mistral if !fields.has("sliding_window") => Some(4096),
        Family::Mistral => declared,
        Family::Qwen2 | Family::Qwen3 => match fields.flag("use_sliding_window")? {
            Some(true) => Some(declared.unwrap_or(4096)),
            _ => None,
        },
    };
    let first = match family {
        Family::Qwen2 | Family::Qwen3 => fields.count("max_window_layers")?.unwrap_or(28),
        _ => 0,
    };
    let Some(types) = fields.list("layer_types")? else {
        // A count above the most is refused once all fields are read; nothing of its size is built before.
        return Ok((0..layers.min(MAX_LAYERS)).map(|layer| window.filter(|_| layer >= first)).collect());
    };
    if types.len() != layers {
        return Err(fields.error("layer_types", &format!("has {} entries for {layers} layers", types.len())));
    }
    let of_type = |kind: &Value| match (kind.as_str(), window) {
        (Some("full_attention"), _) => Ok(None),
        (Some("sliding_attention"), Some(window)) => Ok(Some(window)),
        (Some("sliding_attention"), None) => {
            Err(fields.error("layer_types", "asks for sliding_attention, but no sliding window is in use"))
        }
        _ => Err(fields.error("layer_types", "may hold only full_attention and sliding_attention")),
    };
    let windows: Vec<Option<usize>> = types.iter().map(of_type).collect::<Result<_>>()?;
    if family == Family::Mistral && windows.iter().any(|own| *own != window) {
        return Err(fields.error("layer_types", "differ from sliding_window; Mistral has one window for all layers"));
    }
    Ok(windows)
}
