use serde_json::{Value, json};

use super::Folder;
use crate::weights::{Adapter, AdapterBase, AdapterTensor, Dtype, read_adapter, read_adapter_base, write_adapter};

fn adapter() -> Adapter {
    let tensor = |name: &str, shape: [usize; 2]| AdapterTensor {
        name: name.into(),
        shape: shape.to_vec(),
        values: (0..shape[0] * shape[1]).map(|index| index as f32 / 8.0).collect(),
    };
    Adapter {
        rank: 2,
        alpha: 4.0,
        target_modules: vec!["down_proj".into(), "q_proj".into()],
        tensors: vec![
            tensor("model.layers.0.mlp.down_proj.lora_A.weight", [2, 12]),
            tensor("model.layers.0.mlp.down_proj.lora_B.weight", [8, 2]),
            tensor("model.layers.0.self_attn.q_proj.lora_A.weight", [2, 8]),
            tensor("model.layers.0.self_attn.q_proj.lora_B.weight", [8, 2]),
            tensor("score.weight", [1, 8]),
        ],
    }
}

fn config(folder: &Folder) -> Value {
    serde_json::from_slice(&std::fs::read(folder.0.join("adapter_config.json")).unwrap()).unwrap()
}

#[test]
fn a_written_adapter_reads_back_and_has_pefts_names() {
    let folder = Folder::new();
    write_adapter(&folder.0, &adapter(), "base", Dtype::F32).unwrap();
    assert_eq!(read_adapter(&folder.0).unwrap(), adapter());
    let file = crate::weights::SafetensorsFile::open(&folder.0.join("adapter_model.safetensors")).unwrap();
    assert!(file.has("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"));
    assert_eq!(config(&folder)["peft_type"], "LORA");
    assert_eq!(config(&folder)["modules_to_save"], json!(["score"]));
}

#[test]
fn unsupported_adapter_options_are_refused_by_name() {
    let folder = Folder::new();
    write_adapter(&folder.0, &adapter(), "base", Dtype::F32).unwrap();
    let good = config(&folder);
    for (name, value) in [
        ("peft_type", json!("IA3")),
        ("use_dora", json!(true)),
        ("use_rslora", json!(true)),
        ("rank_pattern", json!({"q_proj": 4})),
        ("layer_replication", json!([[0, 1], [0, 1]])),
        ("bias", json!("all")),
        ("init_lora_weights", json!("olora")),
        ("base_model_name_or_path", json!(3)),
        ("modules_to_save", json!(["embed_tokens"])),
        ("r", json!(0)),
        ("lora_alpha", json!(-1)),
    ] {
        let mut edited = good.clone();
        edited[name] = value;
        folder.write("adapter_config.json", edited.to_string());
        let message = read_adapter(&folder.0).unwrap_err().to_string();
        assert!(message.contains("adapter_config.json: ") && message.contains(name), "{message}");
    }
}

#[test]
fn adapter_tensors_must_fit_the_rank_and_come_in_pairs() {
    let folder = Folder::new();
    let reading = |edit: &dyn Fn(&mut Adapter)| {
        let mut edited = adapter();
        edit(&mut edited);
        write_adapter(&folder.0, &edited, "base", Dtype::F32).unwrap();
        read_adapter(&folder.0).unwrap_err().to_string()
    };
    assert!(reading(&|a| a.rank = 3).contains("does not fit rank 3"));
    assert!(reading(&|a| drop(a.tensors.remove(0))).contains("down_proj.lora_A.weight' is missing"));
    assert!(reading(&|a| a.tensors[0].name = "model.norm.weight".into()).contains("is neither a lora_A"));
}

#[test]
fn an_adapter_names_its_base() {
    let folder = Folder::new();
    write_adapter(&folder.0, &adapter(), "owner/name", Dtype::F32).unwrap();
    let named =
        |name: &str, revision: Option<&str>| AdapterBase { name: name.into(), revision: revision.map(String::from) };
    assert_eq!(read_adapter_base(&folder.0).unwrap(), named("owner/name", None));
    let mut edited = config(&folder);
    edited["revision"] = json!("v2");
    folder.write("adapter_config.json", edited.to_string());
    assert_eq!(read_adapter_base(&folder.0).unwrap(), named("owner/name", Some("v2")));
    edited["base_model_name_or_path"] = json!(null);
    edited["revision"] = json!(null);
    folder.write("adapter_config.json", edited.to_string());
    assert_eq!(read_adapter_base(&folder.0).unwrap(), named("", None));
    std::fs::remove_file(folder.0.join("adapter_model.safetensors")).unwrap();
    assert!(read_adapter_base(&folder.0).unwrap_err().to_string().contains("adapter_model.safetensors: is missing"));
}

#[test]
fn listed_modules_must_have_tensors() {
    let folder = Folder::new();
    write_adapter(&folder.0, &adapter(), "base", Dtype::F32).unwrap();
    let mut edited = config(&folder);
    for fits in [json!(["mlp.down_proj", "q_proj"]), json!(".*_proj"), json!(null)] {
        edited["target_modules"] = fits;
        folder.write("adapter_config.json", edited.to_string());
        assert_eq!(read_adapter(&folder.0).unwrap(), adapter());
    }
    for (wrong, said) in [(json!(["q_proj", "v_proj"]), "has no tensor of 'v_proj'"), (json!([3]), "target_modules is")]
    {
        edited["target_modules"] = wrong;
        folder.write("adapter_config.json", edited.to_string());
        let message = read_adapter(&folder.0).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn an_adapter_is_written_in_the_precision_that_is_asked_for() {
    let folder = Folder::new();
    let mut rounded = adapter();
    for tensor in &mut rounded.tensors {
        tensor.values.iter_mut().for_each(|value| *value *= 1.0 + 1.0 / 1024.0 / 1024.0);
    }
    write_adapter(&folder.0, &rounded, "base", Dtype::F32).unwrap();
    assert_eq!(read_adapter(&folder.0).unwrap(), rounded);
    write_adapter(&folder.0, &rounded, "base", Dtype::Bf16).unwrap();
    assert_eq!(read_adapter(&folder.0).unwrap(), adapter());
}
