use serde_json::Value;

use crate::config::{Family, Parameter, ParameterKind, RopeScaling};
use crate::weights::Checkpoint;
use crate::weights::mapped::MappedFile;

pub(super) const LLAMA: &[u8] = include_bytes!("../../../tests/fixtures/tiny-llama.gguf");
const QWEN2: &[u8] = include_bytes!("../../../tests/fixtures/tiny-qwen2.gguf");
const QWEN3: &[u8] = include_bytes!("../../../tests/fixtures/tiny-qwen3.gguf");

pub(super) fn open(bytes: &[u8]) -> crate::error::Result<Checkpoint> {
    Checkpoint::open_gguf(MappedFile::from_bytes(bytes.to_vec(), "tiny.gguf"))
}

/// The fixtures' values before they were written by the `gguf` package, in Hugging Face's order of rows.
fn weight(seed: usize, rows: usize, columns: usize) -> Vec<f32> {
    let at = |row: usize, column: usize| ((row * 31 + column * 7 + seed * 13) % 97) as f32 - 48.0;
    (0..rows * columns).map(|index| at(index / columns, index % columns) / 64.0).collect()
}

fn read(checkpoint: &Checkpoint, name: &str, shape: &[usize]) -> Vec<f32> {
    let parameter = Parameter { name: name.into(), shape: shape.to_vec(), kind: ParameterKind::Linear };
    checkpoint.read_f32(&parameter).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Bytes with the one occurrence of `from` replaced by as many bytes.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn every_block_format_decodes_to_the_reference_packages_bits() {
    use crate::weights::gguf::decode_for_test;
    let fixtures: Vec<Value> = serde_json::from_str(include_str!("../../../tests/fixtures/gguf-blocks.json")).unwrap();
    assert_eq!(fixtures.len(), 10);
    for fixture in fixtures {
        let hex = fixture["bytes"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let expected: Vec<u64> =
            fixture["values"].as_array().unwrap().iter().map(|bits| bits.as_u64().unwrap()).collect();
        let values = decode_for_test(fixture["type"].as_u64().unwrap() as u32, &bytes);
        let bits: Vec<u64> = values.iter().map(|value| u64::from(value.to_bits())).collect();
        assert_eq!(bits, expected, "{}", fixture["name"]);
    }
}

#[test]
fn a_llama_file_gives_its_config_and_hugging_faces_order_of_rows() {
    let checkpoint = open(LLAMA).unwrap();
    let config = &checkpoint.config;
    assert_eq!((config.family, config.hidden_size, config.head_dim, config.num_kv_heads), (Family::Llama, 32, 8, 2));
    assert_eq!((config.rms_norm_eps, config.rope_theta, config.tie_embeddings), (1e-5, 500_000.0, true));
    assert_eq!((config.bos_token_id, config.eos_token_ids.as_slice()), (Some(0), [1].as_slice()));
    assert!(matches!(config.rope_scaling, RopeScaling::Llama3 { factor: 8.0, original_max_position: 8192, .. }));
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.q_proj.weight", &[32, 32]), weight(3, 32, 32));
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.k_proj.weight", &[16, 32]), weight(4, 16, 32));
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.v_proj.weight", &[16, 32]), weight(5, 16, 32));
    assert_eq!(read(&checkpoint, "model.layers.0.self_attn.o_proj.weight", &[32, 32]), weight(6, 32, 32));
    assert_eq!(read(&checkpoint, "model.norm.weight", &[32]), weight(11, 1, 32));
    let down = read(&checkpoint, "model.layers.0.mlp.down_proj.weight", &[32, 32]);
    assert!(largest_difference(&down, &weight(10, 32, 32)) < 0.75 / 127.0);
}

#[test]
fn qwen_files_keep_their_rows_and_have_their_biases_and_norms() {
    let qwen2 = open(QWEN2).unwrap();
    assert_eq!((qwen2.config.family, qwen2.config.rope_scaling), (Family::Qwen2, RopeScaling::None));
    assert_eq!(read(&qwen2, "model.layers.0.self_attn.q_proj.weight", &[32, 32]), weight(3, 32, 32));
    assert_eq!(read(&qwen2, "model.layers.0.self_attn.k_proj.bias", &[16]), weight(21, 1, 16));
    let qwen3 = open(QWEN3).unwrap();
    assert!(qwen3.config.qk_norm && !qwen3.config.tie_embeddings);
    assert_eq!(read(&qwen3, "model.layers.0.self_attn.k_norm.weight", &[8]), weight(31, 1, 8));
    assert!(largest_difference(&read(&qwen3, "lm_head.weight", &[12, 32]), &weight(40, 12, 32)) < 0.11);
}

#[test]
fn the_tokenizer_becomes_a_hugging_face_tokenizer_json() {
    let checkpoint = open(LLAMA).unwrap();
    assert_eq!(checkpoint.chat_template.as_deref(), Some("{{ messages }}"));
    let tokenizer: Value = serde_json::from_str(checkpoint.tokenizer_json.as_deref().unwrap()).unwrap();
    assert_eq!(tokenizer["model"]["vocab"]["hello"], 10);
    assert_eq!(tokenizer["model"]["merges"][2], serde_json::json!(["he", "ll"]));
    let added: Vec<_> =
        tokenizer["added_tokens"].as_array().unwrap().iter().map(|t| (&t["content"], &t["special"])).collect();
    let expected = [("<|bos|>".into(), true.into()), ("<|eos|>".into(), true.into()), ("<tool>".into(), false.into())];
    assert_eq!(added, expected.iter().map(|(a, b): &(Value, Value)| (a, b)).collect::<Vec<_>>());
    // A Llama 3 text begins with its bos token where the caller asks for special tokens.
    assert_eq!(tokenizer["post_processor"]["processors"][1]["single"][0]["SpecialToken"]["id"], "<|bos|>");
    let qwen: Value = serde_json::from_str(open(QWEN2).unwrap().tokenizer_json.as_deref().unwrap()).unwrap();
    assert_eq!((&qwen["post_processor"]["type"], &qwen["normalizer"]["type"]), (&"ByteLevel".into(), &"NFC".into()));
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..LLAMA.len() - 1 {
        // All of the header, and every 97th byte of the data.
        if length < 3000 || length % 97 == 0 {
            let message = open(&LLAMA[..length]).unwrap_err().to_string();
            assert!(message.starts_with("tiny.gguf: "), "{message}");
        }
    }
}

#[test]
fn hostile_fields_are_refused_by_file_and_field() {
    let refusal = |bytes: Vec<u8>| open(&bytes).unwrap_err().to_string();
    let edit = |from: &[u8], to: &[u8]| refusal(replaced(LLAMA, from, to));
    let at = |position: usize, value: &[u8]| {
        let mut bytes = LLAMA.to_vec();
        bytes[position..position + value.len()].copy_from_slice(value);
        refusal(bytes)
    };
    // The type and the length of a string come after its key.
    let after = |key: &[u8]| LLAMA.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let cases = [
        (at(0, b"GGML"), "does not begin with GGUF"),
        (at(4, &1u32.to_le_bytes()), "version is 1"),
        (at(4, &3u32.to_be_bytes()), "version is 50331648"),
        (at(8, &u64::MAX.to_le_bytes()), "tensor name"),
        (at(16, &u64::MAX.to_le_bytes()), "metadata key"),
        (at(24, &u64::MAX.to_le_bytes()), "metadata key (byte 32): takes 18446744073709551615 bytes"),
        (edit(b"llama.block_count", b"llama.block\xffcount"), "metadata key"),
        (edit(b"llama.block_count", b"llama.block_coun_"), "llama.block_count is missing"),
        (edit(b"llama.block_count", b"llama.vocab_size_"), "llama.block_count is missing"),
        (edit(b"general.architecture", b"general.architectur_"), "general.architecture is missing"),
        (at(after(b"general.architecture") + 12, b"gemma"), "'gemma' is not supported"),
        (at(after(b"tokenizer.ggml.model"), &99u32.to_le_bytes()), "has the unknown type 99"),
        (at(after(b"tokenizer.ggml.model") + 12, b"bert"), "tokenizer.ggml.model is 'bert'"),
        (at(after(b"tokenizer.ggml.pre") + 12, b"llama-xyz"), "tokenizer.ggml.pre 'llama-xyz' is not supported"),
        (at(after(b"tokenizer.ggml.tokens") + 8, &u64::MAX.to_le_bytes()), "tokenizer.ggml.tokens"),
        (at(after(b"tokenizer.ggml.token_type") + 8, &u64::MAX.to_le_bytes()), "tokenizer.ggml.token_type"),
        (at(after(b"llama.attention.head_count_kv") + 4, &3u32.to_le_bytes()), "num_key_value_heads (3)"),
        (at(after(b"llama.block_count") + 4, &u32::MAX.to_le_bytes()), "num_hidden_layers is 4294967295"),
        (at(after(b"llama.context_length") + 4, &0u32.to_le_bytes()), "max_position_embeddings is 0"),
        (at(after(b"tokenizer.ggml.bos_token_id") + 4, &12u32.to_le_bytes()), "bos_token_id"),
        (edit(b"hell", b"h\xffll"), "tokenizer.ggml.tokens"),
        (edit(b"l l", b"l?l"), "tokenizer.ggml.merges entry 1"),
        (edit(b"l l", b"l z"), "tokenizer.ggml.merges entry 1"),
        // A tensor's rank, dimensions, type and offset come after its name.
        (at(after(b"token_embd.weight"), &5u32.to_le_bytes()), "tensor 'token_embd.weight'"),
        (at(after(b"token_embd.weight") + 4, &u64::MAX.to_le_bytes()), "is too large"),
        (at(after(b"token_embd.weight") + 4, &0u64.to_le_bytes()), "has a 0"),
        (at(after(b"token_embd.weight") + 4, &33u64.to_le_bytes()), "overlaps tensor 'token_embd.weight'"),
        (at(after(b"token_embd.weight") + 20, &10u32.to_le_bytes()), "is of type 10, which is not supported"),
        (at(after(b"token_embd.weight") + 24, &1u64.to_le_bytes()), "offset 1 is no multiple"),
        (at(after(b"token_embd.weight") + 24, &u64::MAX.to_le_bytes()), "offset 18446744073709551615"),
        (at(after(b"token_embd.weight") + 24, &(1u64 << 40).to_le_bytes()), "but the file has"),
        (edit(b"blk.0.ffn_up.weight", b"blk.0.attn_q.weight"), "tensor 'blk.0.attn_q.weight'"),
        (edit(b"blk.0.ffn_up.weight", b"blk.0.ffn_xx.weight"), "mlp.up_proj.weight' is missing"),
    ];
    for (message, problem) in cases {
        assert!(message.starts_with("tiny.gguf: ") && message.contains(problem), "wanted: {problem}\ngot: {message}");
    }
}
