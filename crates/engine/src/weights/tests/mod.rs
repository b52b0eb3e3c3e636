mod adapters;
mod folders;
mod fuzz;
mod gguf_files;
mod safetensors_files;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{ModelConfig, Parameter};

/// A folder of its own for a test, removed when dropped.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("whetstone-weights-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(&self.0).unwrap().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

/// A configuration of a few hundred parameters.
pub(super) fn tiny_config() -> ModelConfig {
    let text = r#"{"model_type": "qwen2", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32,
        "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": true, "rope_theta": 1000000.0}"#;
    ModelConfig::from_json(text, "tiny").unwrap()
}

/// Values that tell every parameter and element apart and that bf16 holds exactly.
pub(super) fn values_of(parameter: &Parameter) -> Vec<f32> {
    let seed: usize = parameter.name.bytes().map(usize::from).sum();
    let count = parameter.shape.iter().product::<usize>();
    (0..count).map(|index| ((index * 7 + seed) % 97) as f32 / 64.0 - 0.75).collect()
}
