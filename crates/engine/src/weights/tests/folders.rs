use serde_json::{Value, json};

use super::{Folder, tiny_config, values_of};
use crate::config::ModelConfig;
use crate::weights::{Checkpoint, Dtype, SafetensorsData, SafetensorsEntry, save_checkpoint, write_safetensors};

fn saved(dtype: Dtype) -> Folder {
    let (folder, config) = (Folder::new(), tiny_config());
    save_checkpoint(&folder.0, &config, &config.parameters(), dtype, |parameter| Ok(values_of(parameter))).unwrap();
    folder
}

fn opening(folder: &Folder) -> String {
    Checkpoint::open(&folder.0).unwrap_err().to_string()
}

/// Writes the tiny model's tensors, edited, to a file of the folder.
fn write_tensors(folder: &Folder, file: &str, edit: impl Fn(&str, &mut Vec<usize>) -> bool) {
    let mut tensors = Vec::new();
    for parameter in tiny_config().parameters() {
        let (mut shape, values) = (parameter.shape.clone(), values_of(&parameter));
        if edit(&parameter.name, &mut shape) {
            tensors.push((parameter.name, shape, values));
        }
    }
    let entries: Vec<SafetensorsEntry> = tensors
        .iter()
        .map(|(name, shape, values)| SafetensorsEntry { name, shape, data: SafetensorsData::F32(values) })
        .collect();
    write_safetensors(&folder.0.join(file), &entries, &[]).unwrap();
}

#[test]
fn a_saved_checkpoint_opens_with_the_same_config_and_values() {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let folder = saved(dtype);
        let checkpoint = Checkpoint::open(&folder.0).unwrap();
        assert_eq!(checkpoint.config, tiny_config());
        for parameter in checkpoint.config.parameters() {
            assert_eq!(checkpoint.read_f32(&parameter).unwrap(), values_of(&parameter), "{}", parameter.name);
        }
        assert!(checkpoint.has("model.norm.weight") && !checkpoint.has("lm_head.weight"));
        assert_eq!((checkpoint.tokenizer_json, checkpoint.chat_template), (None, None));
        assert_eq!(folder.names(), ["config.json", "model.safetensors"]);
        let config: Value = serde_json::from_slice(&std::fs::read(folder.0.join("config.json")).unwrap()).unwrap();
        assert_eq!(config["dtype"], if dtype == Dtype::F32 { "float32" } else { "bfloat16" });
    }
}

#[test]
fn a_config_that_begins_with_a_byte_order_mark_is_read() {
    let folder = saved(Dtype::F32);
    let config = std::fs::read_to_string(folder.0.join("config.json")).unwrap();
    folder.write("config.json", format!("\u{feff}{config}"));
    assert_eq!(Checkpoint::open(&folder.0).unwrap().config, tiny_config());
}

#[test]
fn a_failing_save_leaves_the_checkpoint_that_was_there() {
    let folder = saved(Dtype::F32);
    let before = Checkpoint::open(&folder.0).unwrap().digest().unwrap();
    let config = tiny_config();
    let fail = save_checkpoint(&folder.0, &config, &config.parameters(), Dtype::F32, |_| Ok(vec![0.0]));
    assert!(fail.unwrap_err().to_string().contains("'model.embed_tokens.weight' of shape [11, 8] got 1 values"));
    assert_eq!(Checkpoint::open(&folder.0).unwrap().digest().unwrap(), before);
    assert_eq!(folder.names(), ["config.json", "model.safetensors"]);
}

#[test]
fn the_digest_is_the_sha256_of_the_weight_file() {
    use sha2::{Digest, Sha256};
    let folder = saved(Dtype::F32);
    let expected = Sha256::digest(std::fs::read(folder.0.join("model.safetensors")).unwrap());
    let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(Checkpoint::open(&folder.0).unwrap().digest().unwrap(), expected);
}

#[test]
fn sharded_weights_read_through_their_index() {
    let folder = saved(Dtype::F32);
    std::fs::remove_file(folder.0.join("model.safetensors")).unwrap();
    let second = |name: &str| name.contains("layers.1");
    write_tensors(&folder, "model-00001-of-00002.safetensors", |name, _| !second(name));
    write_tensors(&folder, "model-00002-of-00002.safetensors", |name, _| second(name));
    let file = |name: &str| format!("model-0000{}-of-00002.safetensors", if second(name) { 2 } else { 1 });
    let map: serde_json::Map<String, Value> =
        tiny_config().parameters().iter().map(|p| (p.name.clone(), json!(file(&p.name)))).collect();
    let index =
        |map: &serde_json::Map<String, Value>| json!({"metadata": {"total_size": 1}, "weight_map": map}).to_string();
    folder.write("model.safetensors.index.json", index(&map));
    let checkpoint = Checkpoint::open(&folder.0).unwrap();
    for parameter in checkpoint.config.parameters() {
        assert_eq!(checkpoint.read_f32(&parameter).unwrap(), values_of(&parameter));
    }
    for (target, problem) in [
        ("../model.safetensors", "is not a file of this folder"),
        ("/etc/passwd", "is not a file of this folder"),
        ("model-00003-of-00003.safetensors", "is missing"),
        ("model-00002-of-00002.safetensors", "has no such tensor"),
    ] {
        let mut hostile = map.clone();
        hostile["model.norm.weight"] = json!(target);
        folder.write("model.safetensors.index.json", index(&hostile));
        assert!(opening(&folder).contains(problem), "{target}: {}", opening(&folder));
    }
    folder.write("model.safetensors.index.json", r#"{"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}}"#);
    assert!(Checkpoint::open(&folder.0).is_err());
}

#[test]
fn missing_misshapen_and_surplus_tensors_are_refused_by_name() {
    let folder = saved(Dtype::F32);
    write_tensors(&folder, "model.safetensors", |name, _| name != "model.layers.1.mlp.up_proj.weight");
    assert!(opening(&folder).contains("tensor 'model.layers.1.mlp.up_proj.weight' is missing"));
    write_tensors(&folder, "model.safetensors", |name, shape| {
        if name == "model.embed_tokens.weight" {
            shape.reverse();
        }
        true
    });
    assert!(
        opening(&folder).contains("'model.embed_tokens.weight' has shape [8, 11]; the configuration asks for [11, 8]")
    );
    let folder = saved(Dtype::F32);
    let config = std::fs::read_to_string(folder.0.join("config.json")).unwrap();
    folder.write(
        "config.json",
        config.replace("Qwen2", "Llama").replace("qwen2", "llama").replace("sliding_window", "_"),
    );
    assert!(opening(&folder).contains("self_attn.") && opening(&folder).contains("none of the Llama model's"));
}

#[test]
fn a_tokenizer_a_chat_template_and_further_ending_tokens_come_from_beside() {
    let folder = saved(Dtype::F32);
    folder.write("tokenizer.json", "{\"version\": \"1.0\"}");
    folder.write("tokenizer_config.json", json!({"chat_template": "{{ old }}"}).to_string());
    folder.write("generation_config.json", json!({"eos_token_id": [1, 4]}).to_string());
    let checkpoint = Checkpoint::open(&folder.0).unwrap();
    assert_eq!(checkpoint.tokenizer_json.as_deref(), Some("{\"version\": \"1.0\"}"));
    assert_eq!(checkpoint.chat_template.as_deref(), Some("{{ old }}"));
    assert_eq!(checkpoint.config.eos_token_ids, [1, 4]);
    let named = json!({"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]});
    folder.write("tokenizer_config.json", named.to_string());
    assert_eq!(Checkpoint::open(&folder.0).unwrap().chat_template.as_deref(), Some("d"));
    folder.write("chat_template.jinja", "{{ new }}");
    assert_eq!(Checkpoint::open(&folder.0).unwrap().chat_template.as_deref(), Some("{{ new }}"));
    folder.write("tokenizer.json", b"\xff\xfe");
    assert!(opening(&folder).contains("tokenizer.json: is not UTF-8"));
}

#[test]
fn folders_without_their_files_say_what_is_missing() {
    let folder = Folder::new();
    assert!(opening(&folder).contains("config.json: is missing"));
    folder.write("config.json", tiny_config().to_json());
    assert!(opening(&folder).contains("has neither model.safetensors nor"));
    let file = folder.write("model.bin", "x");
    assert!(Checkpoint::open(&file).unwrap_err().to_string().contains("is neither a folder, a .gguf nor"));
    assert!(Checkpoint::open(&folder.0.join("no")).unwrap_err().to_string().contains("no such file or folder"));
}

#[test]
fn a_safetensors_path_opens_that_file_with_the_config_beside_it() {
    let folder = saved(Dtype::F32);
    std::fs::rename(folder.0.join("model.safetensors"), folder.0.join("step-10.safetensors")).unwrap();
    let checkpoint = Checkpoint::open(&folder.0.join("step-10.safetensors")).unwrap();
    assert!(checkpoint.has("model.norm.weight"));
}

#[test]
fn a_config_that_claims_a_huge_model_fails_on_the_small_file_beside_it() {
    let folder = saved(Dtype::F32);
    let huge =
        ModelConfig { vocab_size: 1 << 24, num_layers: 1 << 12, layer_windows: vec![None; 1 << 12], ..tiny_config() };
    folder.write("config.json", huge.to_json());
    assert!(opening(&folder).contains("the configuration asks for [16777216, 8]"));
}
