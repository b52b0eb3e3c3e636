use serde_json::json;

use super::*;

const LLAMA: &str = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 257,
  "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "bos_token_id": 1,
  "eos_token_id": [2, 3], "tie_word_embeddings": true}"#;

fn edited(edits: &[(&str, serde_json::Value)]) -> String {
    let mut value: serde_json::Value = serde_json::from_str(LLAMA).unwrap();
    for (name, edit) in edits {
        value[*name] = edit.clone();
    }
    value.to_string()
}

fn read(edits: &[(&str, serde_json::Value)]) -> ModelConfig {
    ModelConfig::from_json(&edited(edits), "config.json").unwrap()
}

fn refusal(edits: &[(&str, serde_json::Value)]) -> String {
    ModelConfig::from_json(&edited(edits), "config.json").unwrap_err().to_string()
}

#[test]
fn a_llama_config_has_the_defaults_that_transformers_gives() {
    let config = read(&[]);
    assert_eq!((config.head_dim, config.rope_theta, config.rope_scaling), (16, 10_000.0, RopeScaling::None));
    assert_eq!((config.bos_token_id, config.eos_token_ids), (Some(1), vec![2, 3]));
    assert_eq!((config.rms_norm_eps, config.initializer_range), (1e-5, 0.02));
    assert_eq!(config.layer_windows, [None, None]);
    assert_eq!(read(&[("num_key_value_heads", json!(null))]).num_kv_heads, 4);
    assert_eq!(read(&[("head_dim", json!(32))]).head_dim, 32);
}

#[test]
fn older_and_newer_rope_fields_read_alike() {
    let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64});
    let older = read(&[("rope_theta", json!(500000.0)), ("rope_scaling", scaling.clone())]);
    let mut parameters = scaling;
    parameters["rope_theta"] = json!(500000.0);
    let newer = read(&[("rope_parameters", parameters)]);
    assert_eq!(older, newer);
    assert!(matches!(newer.rope_scaling, RopeScaling::Llama3 { original_max_position: 64, .. }));
    let linear = read(&[("rope_scaling", json!({"type": "linear", "factor": 2}))]);
    assert_eq!(linear.rope_scaling, RopeScaling::Linear { factor: 2.0 });
}

#[test]
fn llama3_scaling_divides_long_wavelengths_and_keeps_short_ones() {
    // Expected: transformers' _compute_llama3_parameters for head_dim 16, theta 5e5, factor 8, low 1, high 4, context 64.
    let config = read(&[(
        "rope_parameters",
        json!({"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
    )]);
    let theta: f64 = 500000.0;
    let plain: Vec<f64> = (0..8).map(|pair| 1.0 / theta.powf(2.0 * f64::from(pair) / 16.0)).collect();
    let got = config.rope_inverse_frequencies();
    assert_eq!(got[0], plain[0]);
    // Pair 1 turns 1.975 times in 64 positions, between 1 and 4: smooth = (1.975 - 1) / 3.
    let smooth = (64.0 * plain[1] / (2.0 * PI) - 1.0) / 3.0;
    assert!((got[1] - ((1.0 - smooth) * plain[1] / 8.0 + smooth * plain[1])).abs() < 1e-12);
    for pair in 2..8 {
        assert!((got[pair] - plain[pair] / 8.0).abs() < 1e-15);
    }
}

#[test]
fn families_differ_in_biases_norms_and_windows() {
    let qwen2 = [("architectures", json!(["Qwen2ForCausalLM"])), ("model_type", json!("qwen2"))];
    let config = read(&qwen2);
    assert!(config.qkv_bias && !config.qk_norm);
    assert!(config.parameters().iter().any(|p| p.name == "model.layers.1.self_attn.k_proj.bias" && p.shape == [32]));
    let qwen3 = [("architectures", json!(["Qwen3ForCausalLM"])), ("model_type", json!("qwen3"))];
    let config = read(&qwen3);
    assert!(!config.qkv_bias && config.qk_norm);
    assert_eq!(config.head_dim, 128);
    let mistral = [("architectures", json!(["MistralForCausalLM"])), ("model_type", json!("mistral"))];
    assert_eq!(read(&mistral).layer_windows, [Some(4096); 2]);
    let with = |edit| [mistral[0].clone(), mistral[1].clone(), ("sliding_window", edit)];
    assert_eq!(read(&with(json!(24))).layer_windows, [Some(24); 2]);
    assert_eq!(read(&with(json!(null))).layer_windows, [None; 2]);
}

#[test]
fn qwen_windows_follow_use_sliding_window_max_window_layers_and_layer_types() {
    let base =
        [("architectures", json!(["Qwen2ForCausalLM"])), ("model_type", json!("qwen2")), ("sliding_window", json!(24))];
    let with = |more: &[(&'static str, serde_json::Value)]| [base.as_slice(), more].concat();
    assert_eq!(read(&base).layer_windows, [None, None]);
    let on = ("use_sliding_window", json!(true));
    assert_eq!(read(&with(&[on.clone(), ("max_window_layers", json!(1))])).layer_windows, [None, Some(24)]);
    let types = ("layer_types", json!(["sliding_attention", "full_attention"]));
    assert_eq!(read(&with(&[on.clone(), types.clone()])).layer_windows, [Some(24), None]);
    assert!(refusal(&with(&[types])).contains("layer_types"));
    assert!(refusal(&with(&[on, ("layer_types", json!(["full_attention"]))])).contains("layer_types has 1 entries"));
}

#[test]
fn what_the_engine_does_not_compute_is_refused_by_name() {
    for (name, value) in [
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("partial_rotary_factor", json!(0.5)),
        ("hidden_act", json!("gelu")),
        ("num_local_experts", json!(8)),
        ("quantization_config", json!({"quant_method": "gptq"})),
        ("sliding_window", json!(24)),
        ("architectures", json!(["LlamaForSequenceClassification"])),
        ("model_type", json!("gemma3")),
        ("rope_scaling", json!("yarn")),
    ] {
        let message = refusal(&[(name, value)]);
        assert!(message.starts_with("config.json: ") && message.contains(name), "{name}: {message}");
    }
    for kind in ["yarn", "dynamic", "longrope"] {
        let message = refusal(&[("rope_scaling", json!({"rope_type": kind, "factor": 2.0}))]);
        assert!(message.contains("rope_scaling.rope_type") && message.contains(kind), "{message}");
    }
    assert!(refusal(&[("model_type", json!("qwen2"))]).contains("different models"));
}

#[test]
fn hostile_numbers_are_refused_by_field_name() {
    for (name, value) in [
        ("vocab_size", json!(0)),
        ("vocab_size", json!(u64::MAX)),
        ("hidden_size", json!(-64)),
        ("hidden_size", json!(64.5)),
        ("hidden_size", json!(66)),
        ("num_attention_heads", json!(0)),
        ("num_hidden_layers", json!(1u64 << 62)),
        ("num_key_value_heads", json!(3)),
        ("head_dim", json!(15)),
        ("rms_norm_eps", json!(0)),
        ("rms_norm_eps", json!("small")),
        ("rope_theta", json!(-1.0)),
        ("bos_token_id", json!(257)),
        ("eos_token_id", json!([2, -1])),
        ("eos_token_id", json!(5_000_000_000u64)),
        ("max_position_embeddings", json!(null)),
        ("tie_word_embeddings", json!("yes")),
    ] {
        let message = refusal(&[(name, value)]);
        assert!(message.starts_with("config.json: ") && message.contains(name), "{name}: {message}");
    }
    let huge = refusal(&[("vocab_size", json!(1 << 24)), ("hidden_size", json!(1 << 20)), ("head_dim", json!(64))]);
    assert!(huge.contains("parameters"), "{huge}");
    assert!(ModelConfig::from_json("{", "config.json").unwrap_err().to_string().contains("not valid JSON"));
    assert!(ModelConfig::from_json("[]", "config.json").unwrap_err().to_string().contains("must be a JSON object"));
}

#[test]
fn a_config_written_reads_back_the_same() {
    let linear = ("rope_scaling", json!({"rope_type": "linear", "factor": 2.0}));
    for edits in [
        vec![],
        vec![linear, ("rope_theta", json!(1e6))],
        vec![("architectures", json!(["MistralForCausalLM"])), ("model_type", json!("mistral"))],
        vec![
            ("architectures", json!(["Qwen3ForCausalLM"])),
            ("model_type", json!("qwen3")),
            ("use_sliding_window", json!(true)),
            ("sliding_window", json!(24)),
            ("layer_types", json!(["sliding_attention", "full_attention"])),
        ],
    ] {
        let config = read(&edits);
        assert_eq!(ModelConfig::from_json(&config.to_json(), "written").unwrap(), config);
    }
}

#[test]
fn the_parameter_count_agrees_with_the_list_of_parameters() {
    for edits in [
        vec![],
        vec![("tie_word_embeddings", json!(false))],
        vec![("architectures", json!(["Qwen2ForCausalLM"])), ("model_type", json!("qwen2"))],
    ] {
        let config = read(&edits);
        let listed: usize = config.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(config.parameter_count(), listed as u128);
    }
}
