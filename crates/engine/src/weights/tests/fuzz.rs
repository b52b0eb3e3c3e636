//! Whatever the bytes, the readers return: they never panic, and what they accept reads. The number of cases keeps this
//! under a few seconds.

use proptest::prelude::*;

use super::gguf_files::{LLAMA, open};
use crate::config::ModelConfig;
use crate::weights::SafetensorsFile;
use crate::weights::mapped::MappedFile;

fn safetensors() -> Vec<u8> {
    let header = br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[7; 24]].concat()
}

/// One damage: bytes overwritten, cut out or put in.
#[derive(Debug, Clone)]
enum Damage {
    Overwrite(usize, Vec<u8>),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
}

fn damage(length: usize) -> impl Strategy<Value = Damage> {
    let hostile = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        prop::sample::select(vec![0u64, 1, u64::MAX, 1 << 63, 1 << 32, u64::MAX / 2, u64::MAX - 7])
            .prop_map(|n| n.to_le_bytes().to_vec()),
        prop::sample::select(vec![&b"\""[..], b"{", b"[", b"]", b"9", b"-", b"e9", b",", b"\xff"])
            .prop_map(<[u8]>::to_vec),
    ];
    prop_oneof![
        4 => (0..length, hostile.clone()).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        1 => (0..length, 1..64usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (0..length, hostile).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        let length = bytes.len();
        match damage {
            Damage::Overwrite(at, new) => {
                for (old, new) in bytes.iter_mut().skip(*at).zip(new) {
                    *old = *new;
                }
            }
            Damage::Remove(at, count) => drop(bytes.drain((*at).min(length)..(at + count).min(length))),
            Damage::Insert(at, new) => drop(bytes.splice((*at).min(length)..(*at).min(length), new.iter().copied())),
        }
    }
    bytes
}

fn try_safetensors(bytes: Vec<u8>) {
    let size = bytes.len();
    match SafetensorsFile::from_file(MappedFile::from_bytes(bytes, "fuzzed.safetensors")) {
        Err(error) => assert!(error.to_string().starts_with("fuzzed.safetensors: ")),
        Ok(file) => {
            for name in file.names() {
                if let Ok(values) = file.read_f32(name) {
                    assert!(values.len() <= size);
                }
            }
        }
    }
}

fn try_gguf(bytes: &[u8]) {
    match open(bytes) {
        Err(error) => assert!(error.to_string().starts_with("tiny.gguf: "), "{error}"),
        Ok(checkpoint) => {
            for parameter in checkpoint.config.parameters() {
                let values = checkpoint.read_f32(&parameter).expect("an opened file's parameters read");
                // 4.5 bits a value is the densest format.
                assert!(values.len() <= 2 * bytes.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_safetensors_never_panic(damages in prop::collection::vec(damage(safetensors().len()), 1..4)) {
        try_safetensors(damaged(&safetensors(), &damages));
    }

    #[test]
    fn random_bytes_are_no_safetensors(header in prop::collection::vec(any::<u8>(), 0..200), claimed in 0..260u64) {
        try_safetensors([&claimed.to_le_bytes()[..], &header].concat());
        try_safetensors(header);
    }

    #[test]
    fn damaged_gguf_never_panics(damages in prop::collection::vec(damage(2600), 1..4)) {
        try_gguf(&damaged(LLAMA, &damages));
    }

    #[test]
    fn random_bytes_after_a_gguf_magic_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), counts in 0..4u64) {
        let head = [b"GGUF", &3u32.to_le_bytes()[..], &counts.to_le_bytes(), &counts.to_le_bytes()].concat();
        try_gguf(&[&head[..], &bytes].concat());
        try_gguf(&bytes);
    }

    #[test]
    fn damaged_configs_never_panic(damages in prop::collection::vec(damage(700), 1..4)) {
        let text = super::tiny_config().to_json();
        if let Ok(text) = String::from_utf8(damaged(text.as_bytes(), &damages)) {
            let _ = ModelConfig::from_json(&text, "config.json").map(|config| config.rope_inverse_frequencies());
        }
    }
}
