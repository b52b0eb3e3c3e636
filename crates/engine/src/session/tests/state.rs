use std::path::PathBuf;

use super::*;
use crate::weights::{
    self, AdapterTensor, Dtype, SafetensorsData, SafetensorsEntry, SafetensorsFile, write_safetensors,
};

/// A folder of its own for a test, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("whetstone-state-{}-{name}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_state_loads_only_into_a_model_made_as_the_saved_one_was() {
    let folder = Folder::new("method");
    let base = tiny(Precision::F32);
    let of = |lora: Option<LoraConfig>, head| base.trainable(lora, head, 0).unwrap();
    let mut saved = of(Some(lora(2)), true);
    train(&mut *saved, 2, true);
    saved.save_state(&folder.0).unwrap();
    let other_alpha = LoraConfig { alpha: 1.0, ..lora(2) };
    let other_targets = LoraConfig { targets: vec!["q_proj".into()], ..lora(2) };
    for (mut model, said) in [
        (of(None, true), "its method is lora, this model's is full"),
        (of(Some(lora(3)), true), "its rank is 2, this model's is 3"),
        (of(Some(other_alpha), true), "its alpha is 6, this model's is 1"),
        (of(Some(other_targets), true), "its target modules is"),
        (of(Some(lora(2)), false), "its value head is yes, this model's is no"),
    ] {
        let before = says(&mut *model, false).logprobs;
        let error = model.load_state(&folder.0).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(says(&mut *model, false).logprobs, before);
    }
    let mut again = of(Some(lora(2)), true);
    again.load_state(&folder.0).unwrap();
    for model in [&mut saved, &mut again] {
        train(&mut **model, 1, true);
    }
    assert_eq!(says(&mut *again, true).values, says(&mut *saved, true).values);
}

#[test]
fn a_state_with_a_surplus_tensor_is_refused() {
    let folder = Folder::new("surplus");
    let mut model = tiny(Precision::F32).trainable(Some(lora(2)), false, 0).unwrap();
    model.save_state(&folder.0).unwrap();
    let path = folder.0.join("state.safetensors");
    let file = SafetensorsFile::open(&path).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = file
        .names()
        .filter(|name| *name != "steps")
        .map(|name| (name.to_string(), file.shape(name).unwrap().to_vec(), file.read_f32(name).unwrap()))
        .collect();
    tensors.push(("value.extra".into(), vec![1], vec![0.0]));
    let mut entries: Vec<SafetensorsEntry<'_>> = tensors
        .iter()
        .map(|(name, shape, data)| SafetensorsEntry { name, shape, data: SafetensorsData::F32(data) })
        .collect();
    entries.push(SafetensorsEntry { name: "steps", shape: &[1], data: SafetensorsData::I64(&[0]) });
    let metadata: Vec<(&str, &str)> =
        file.metadata().iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    write_safetensors(&path, &entries, &metadata).unwrap();
    let error = model.load_state(&folder.0).unwrap_err().to_string();
    assert!(error.contains("it has 'value.extra', which this model's state lacks"), "{error}");
}

#[test]
fn a_loaded_adapter_is_trained_as_a_new_one_is() {
    let folder = Folder::new("adapter");
    let base = tiny(Precision::F32);
    let mut source = base.trainable(Some(lora(2)), false, 0).unwrap();
    train(&mut *source, 2, false);
    source.save_weights(&folder.0, false, "").unwrap();
    let mut fresh = base.trainable(Some(lora(2)), false, 1).unwrap();
    fresh.load_adapter(&folder.0).unwrap();
    let mut used = base.trainable(Some(lora(2)), false, 2).unwrap();
    train(&mut *used, 3, false);
    accumulate(&mut *used, 7, false);
    used.load_adapter(&folder.0).unwrap();
    assert!(used.step(adamw(), 1.0).is_err(), "the gradient of the old adapter is gone");
    for model in [&mut fresh, &mut used] {
        train(&mut **model, 2, false);
    }
    assert_eq!(says(&mut *used, false).logprobs, says(&mut *fresh, false).logprobs);
    let error = used.snapshot().load_adapter(&folder.0).unwrap_err().to_string();
    assert!(error.contains("a snapshot does not change"), "{error}");
}

#[test]
fn an_adapter_goes_on_a_base_that_it_fits() {
    let folder = Folder::new("put-on");
    let base = tiny(Precision::F32);
    let mut source = base.trainable(Some(lora(2)), true, 0).unwrap();
    train(&mut *source, 2, true);
    source.save_weights(&folder.0, false, "").unwrap();
    let mut adapted = base.with_adapter(&folder.0).unwrap();
    let (got, want) = (says(&mut *adapted, true), says(&mut *source, true));
    assert_eq!((got.logprobs, got.values), (want.logprobs, want.values));
    for other in [&adapted, &source] {
        let error = other.with_adapter(&folder.0).map(drop).unwrap_err().to_string();
        assert!(error.contains("a base that is not trained and has none yet"), "{error}");
    }
    for (module, rank, said) in [
        ("self_attn.q_proj", 17, "adapter_config.json: r is 17; on this base it must be 1 to 16"),
        ("self_attn.other_proj", 2, "adapter_model.safetensors: adapts 'other_proj'; it may adapt q_proj, "),
        ("self_attn.q_proj", 2, "has no tensor 'model.layers.1.self_attn.q_proj.lora_A.weight'"),
    ] {
        let tensor = |part: &str, shape: [usize; 2]| AdapterTensor {
            name: format!("model.layers.0.{module}.lora_{part}.weight"),
            shape: shape.to_vec(),
            values: vec![0.0; shape[0] * shape[1]],
        };
        let tensors = vec![tensor("A", [rank, 16]), tensor("B", [16, rank])];
        let target_modules = vec![module.into()];
        let adapter = weights::Adapter { rank, alpha: 1.0, target_modules, tensors };
        weights::write_adapter(&folder.0, &adapter, "", Dtype::F32).unwrap();
        let error = base.with_adapter(&folder.0).map(drop).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_snapshot_of_an_adapter_saves_the_adapter_exactly() {
    let folder = Folder::new("snapshot");
    let base = tiny(Precision::Bf16);
    let mut model = base.trainable(Some(lora(2)), false, 0).unwrap();
    train(&mut *model, 2, false);
    model.snapshot().save_weights(&folder.0, false, "").unwrap();
    let mut again = base.trainable(Some(lora(2)), false, 0).unwrap();
    again.load_adapter(&folder.0).unwrap();
    let name = "model.layers.0.self_attn.q_proj.lora_A.weight";
    assert_eq!(again.parameter(name).unwrap(), model.parameter(name).unwrap());
}
