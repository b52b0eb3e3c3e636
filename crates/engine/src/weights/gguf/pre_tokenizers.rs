//! How text is cut before merges, by the name that GGUF gives it in `tokenizer.ggml.pre`.

use serde_json::{Value, json};

/// GPT-4's pattern with numbers in groups of up to three, as Llama 3's tokenizer has it.
const LLAMA3: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// The same with numbers digit by digit.
const QWEN2: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// The parts of a `tokenizer.json` that depend on it.
pub(super) struct PreTokenizer {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    /// A piece that is a token is taken whole, whatever its merges.
    pub(super) ignore_merges: bool,
    /// Whether a text begins with the bos token where the file does not say.
    pub(super) add_bos: bool,
}

/// The names that `of` knows.
pub(super) const KNOWN: &str = "default, gpt-2, smollm, llama-bpe, qwen2";

pub(super) fn of(name: &str) -> Option<PreTokenizer> {
    let plain =
        |pre_tokenizer| PreTokenizer { normalizer: Value::Null, pre_tokenizer, ignore_merges: false, add_bos: false };
    Some(match name {
        "default" | "gpt-2" => plain(byte_level(true)),
        "smollm" => plain(sequence(json!({"type": "Digits", "individual_digits": true}), byte_level(true))),
        "llama-bpe" | "llama3" | "llama-v3" => {
            PreTokenizer { ignore_merges: true, add_bos: true, ..plain(sequence(split(LLAMA3), byte_level(false))) }
        }
        "qwen2" => {
            PreTokenizer { normalizer: json!({"type": "NFC"}), ..plain(sequence(split(QWEN2), byte_level(false))) }
        }
        _ => return None,
    })
}

/// Bytes to printable characters; with the pattern, cut by GPT-2's too.
fn byte_level(pattern: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pattern})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn sequence(first: Value, second: Value) -> Value {
    json!({"type": "Sequence", "pretokenizers": [first, second]})
}
