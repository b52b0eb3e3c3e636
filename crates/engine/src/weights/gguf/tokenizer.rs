//! A GGUF file's tokenizer as the text of a Hugging Face `tokenizer.json`. Byte-level BPE only.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::weights::gguf::container::GgufFile;
use crate::weights::gguf::cursor::Scalar;
use crate::weights::gguf::pre_tokenizers::{self, PreTokenizer};

const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";
const TYPES: &str = "tokenizer.ggml.token_type";

/// llama.cpp's types of tokens that are matched in the text itself rather than made by merges.
const CONTROL: i128 = 3;
const USER_DEFINED: i128 = 4;

/// What to do about a tokenizer that cannot be taken over.
const USE_ORIGINAL: &str = "use the folder of the model's original checkpoint, which has a tokenizer.json";

/// The text of a `tokenizer.json`; `None` where the file holds no tokenizer.
pub(super) fn tokenizer_json(file: &GgufFile) -> Result<Option<String>> {
    match file.text("tokenizer.ggml.model")? {
        None | Some("none") => return Ok(None),
        Some("gpt2") => {}
        Some(other) => {
            let problem = format!("is '{other}'; only 'gpt2' (byte-level BPE) is supported: {USE_ORIGINAL}");
            return Err(file.error("tokenizer.ggml.model", &problem));
        }
    }
    let pre = file.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let Some(pre) = pre_tokenizers::of(pre) else {
        let problem = format!("'{pre}' is not supported; only {} are: {USE_ORIGINAL}", pre_tokenizers::KNOWN);
        return Err(file.error("tokenizer.ggml.pre", &problem));
    };
    let tokens = file.texts(TOKENS)?.ok_or_else(|| file.error(TOKENS, "is missing"))?;
    let ids = number_tokens(file, &tokens)?;
    let vocabulary: Map<String, Value> = ids.iter().map(|(token, id)| (token.to_string(), json!(id))).collect();
    let value = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(file, &tokens)?,
        "normalizer": pre.normalizer,
        "pre_tokenizer": pre.pre_tokenizer,
        "post_processor": post_processor(file, &pre, &tokens)?,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": pre.ignore_merges,
            "vocab": vocabulary,
            "merges": merges(file, &ids)?,
        },
    });
    Ok(Some(value.to_string()))
}

fn number_tokens<'a>(file: &GgufFile, tokens: &[&'a str]) -> Result<HashMap<&'a str, usize>> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if let Some(first) = ids.insert(*token, id) {
            return Err(file.error(TOKENS, &format!("has the same token at {first} and {id}")));
        }
    }
    Ok(ids)
}

fn merges<'a>(file: &'a GgufFile, ids: &HashMap<&str, usize>) -> Result<Vec<[&'a str; 2]>> {
    let lines = file.texts(MERGES)?.ok_or_else(|| file.error(MERGES, "is missing"))?;
    let pair = |(index, line): (usize, &'a str)| {
        let fail = |problem: &str| Err(file.error(MERGES, &format!("entry {index} {problem}")));
        let Some((left, right)) = line.split_once(' ') else { return fail("is not two tokens with a space between") };
        match [left, right, &format!("{left}{right}")].iter().all(|token| ids.contains_key(*token)) {
            true => Ok([left, right]),
            false => fail("has or makes a token that tokenizer.ggml.tokens lacks"),
        }
    };
    lines.into_iter().enumerate().map(pair).collect()
}

fn added_tokens(file: &GgufFile, tokens: &[&str]) -> Result<Vec<Value>> {
    let types = file.scalars(TYPES)?.ok_or_else(|| file.error(TYPES, "is missing"))?;
    if types.len() != tokens.len() {
        return Err(file.error(TYPES, &format!("has {} entries for {} tokens", types.len(), tokens.len())));
    }
    let mut added = Vec::new();
    for (id, (token, kind)) in tokens.iter().zip(&types).enumerate() {
        let special = *kind == Scalar::Whole(CONTROL);
        if (special || *kind == Scalar::Whole(USER_DEFINED)) && !token.is_empty() {
            added.push(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": special,
            }));
        }
    }
    Ok(added)
}

/// Adds the bos and eos tokens where the file asks for them and the caller encodes with special tokens.
fn post_processor(file: &GgufFile, pre: &PreTokenizer, tokens: &[&str]) -> Result<Value> {
    let bos = file.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(pre.add_bos);
    let eos = file.flag("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true});
    if !bos && !eos {
        return Ok(bytes);
    }
    let (bos, eos) = (special_token(file, bos, "bos", tokens)?, special_token(file, eos, "eos", tokens)?);
    let part = |sequence: &str, type_id: usize| {
        let special = |token: &Option<(&str, u32)>| {
            token.map(|(token, _)| json!({"SpecialToken": {"id": token, "type_id": type_id}}))
        };
        let text = json!({"Sequence": {"id": sequence, "type_id": type_id}});
        [special(&bos), Some(text), special(&eos)].into_iter().flatten().collect::<Vec<Value>>()
    };
    let specials: Map<String, Value> = [bos, eos]
        .into_iter()
        .flatten()
        .map(|(token, id)| (token.to_string(), json!({"id": token, "ids": [id], "tokens": [token]})))
        .collect();
    let pair = [part("A", 0), part("B", 1)].concat();
    let template = json!({
        "type": "TemplateProcessing",
        "single": part("A", 0),
        "pair": pair,
        "special_tokens": specials,
    });
    Ok(json!({"type": "Sequence", "processors": [bytes, template]}))
}

fn special_token<'a>(file: &GgufFile, wanted: bool, name: &str, tokens: &[&'a str]) -> Result<Option<(&'a str, u32)>> {
    if !wanted {
        return Ok(None);
    }
    let field = format!("tokenizer.ggml.{name}_token_id");
    let id = file.token_id(&field)?.ok_or_else(|| file.error(&field, "is missing, but is to be added"))?;
    let token = tokens.get(id as usize).ok_or_else(|| file.error(&field, "is none of the tokens"))?;
    Ok(Some((token, id)))
}
