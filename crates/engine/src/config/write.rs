//! `config.json` out, in a form that both older and newer releases of `transformers` read.

use serde_json::{Map, Value, json};

use crate::config::{Family, ModelConfig, RopeScaling};

impl ModelConfig {
    /// The text of a `config.json` for weights in float32.
    pub fn to_json(&self) -> String {
        self.to_json_with_dtype("float32")
    }

    /// The text of a `config.json` that says the weights are in `dtype`, as PyTorch names it.
    pub(crate) fn to_json_with_dtype(&self, dtype: &str) -> String {
        let (scaling, parameters) = self.rope_json();
        let mut value = json!({
            "architectures": [self.family.architecture()],
            "model_type": self.family.model_type(),
            "attention_dropout": 0.0,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": match self.eos_token_ids.as_slice() {
                [] => Value::Null,
                [only] => json!(only),
                several => json!(several),
            },
            "dtype": dtype,
            "torch_dtype": dtype,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": shortest(self.initializer_range),
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position,
            "num_attention_heads": self.num_heads,
            "num_hidden_layers": self.num_layers,
            "num_key_value_heads": self.num_kv_heads,
            "rms_norm_eps": shortest(self.rms_norm_eps),
            "rope_parameters": parameters,
            "rope_scaling": scaling,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_embeddings,
            "use_cache": true,
            "vocab_size": self.vocab_size,
        });
        let object = value.as_object_mut().expect("the literal above is an object");
        self.add_family_fields(object);
        serde_json::to_string_pretty(&value).expect("a JSON value of strings and numbers") + "\n"
    }

    fn add_family_fields(&self, object: &mut Map<String, Value>) {
        let window = self.layer_windows.iter().flatten().next().copied();
        match self.family {
            Family::Llama => {
                object.insert("attention_bias".into(), json!(false));
                object.insert("mlp_bias".into(), json!(false));
            }
            Family::Mistral => {
                object.insert("sliding_window".into(), json!(window));
            }
            Family::Qwen2 | Family::Qwen3 => {
                let name =
                    |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
                let types: Vec<&str> = self.layer_windows.iter().map(name).collect();
                let first = self.layer_windows.iter().position(Option::is_some).unwrap_or(self.num_layers);
                object.insert("layer_types".into(), json!(types));
                object.insert("max_window_layers".into(), json!(first));
                object.insert("sliding_window".into(), json!(window));
                object.insert("use_sliding_window".into(), json!(window.is_some()));
                if self.family == Family::Qwen3 {
                    object.insert("attention_bias".into(), json!(false));
                }
            }
        }
    }

    /// The older `rope_scaling` and the newer `rope_parameters`.
    fn rope_json(&self) -> (Value, Value) {
        let scaling = match self.rope_scaling {
            RopeScaling::None => return (Value::Null, json!({"rope_type": "default", "rope_theta": self.rope_theta})),
            RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position,
            }),
        };
        let mut parameters = scaling.clone();
        parameters["rope_theta"] = json!(self.rope_theta);
        (scaling, parameters)
    }
}

/// The f64 with the fewest decimals that reads back as this f32: 1e-5 rather than 9.999999747378752e-6.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().expect("a float prints as a number")
}
