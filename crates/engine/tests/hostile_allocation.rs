//! What a file says of its own sizes decides no allocation: opening a small hostile file stays small in memory.

mod counting_allocator;

use std::fs;
use std::path::Path;

use counting_allocator::peak_of;
use whetstone_engine::config::ModelConfig;
use whetstone_engine::weights::{Checkpoint, SafetensorsFile};

/// Bytes that an open may hold for a file of so many: a few times its size for what is parsed, and a constant.
fn allowance(size: usize) -> usize {
    16 * size + (64 << 10)
}

#[test]
fn hostile_sizes_allocate_no_more_than_the_files_own_size_explains() {
    let folder = std::env::temp_dir().join(format!("whetstone-allocation-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    gguf_sizes(&folder);
    safetensors_sizes(&folder);
    config_sizes();
    fs::remove_dir_all(&folder).unwrap();
}

/// Places throughout a valid file's head, at every alignment, become huge: among them counts, lengths, dimensions.
fn gguf_sizes(folder: &Path) {
    let valid = include_bytes!("fixtures/tiny-llama.gguf");
    let path = folder.join("hostile.gguf");
    for position in (4..2600).step_by(7) {
        for huge in [&u32::MAX.to_le_bytes()[..], &(1u64 << 40).to_le_bytes(), &u64::MAX.to_le_bytes()] {
            let mut bytes = valid.to_vec();
            bytes[position..position + huge.len()].copy_from_slice(huge);
            fs::write(&path, &bytes).unwrap();
            let (result, peak) = peak_of(|| Checkpoint::open(&path));
            assert!(peak <= allowance(bytes.len()), "byte {position}: {peak} bytes held; {:?}", result.err());
        }
    }
}

fn safetensors_sizes(folder: &Path) {
    let path = folder.join("hostile.safetensors");
    for header in [
        r#"{"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"w":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]}}"#,
        r#"{"w":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}"#,
    ] {
        for length in [header.len() as u64, 1 << 26, u64::MAX] {
            let bytes = [&length.to_le_bytes(), header.as_bytes()].concat();
            fs::write(&path, &bytes).unwrap();
            let (_, peak) = peak_of(|| SafetensorsFile::open(&path).and_then(|file| file.read_f32("w")));
            assert!(peak <= allowance(bytes.len()), "{header}: {peak} bytes held");
        }
    }
}

fn config_sizes() {
    let fields = [
        ("vocab_size", "11"),
        ("hidden_size", "8"),
        ("intermediate_size", "12"),
        ("num_hidden_layers", "2"),
        ("num_attention_heads", "2"),
        ("num_key_value_heads", "1"),
        ("head_dim", "4"),
        ("max_position_embeddings", "32"),
    ];
    for (changed, _) in fields {
        for huge in ["4096", "16777216", "1099511627776", "18446744073709551615"] {
            let value = |(name, value)| format!(", \"{name}\": {}", if name == changed { huge } else { value });
            let text = format!("{{\"model_type\": \"qwen2\"{}}}", fields.map(value).concat());
            let (_, peak) = peak_of(|| ModelConfig::from_json(&text, "config.json"));
            // A window for each of the most layers there can be takes 64 KiB.
            assert!(peak <= allowance(text.len()) + (64 << 10), "{changed} {huge}: {peak} bytes held");
        }
    }
}
