//! Binds the `tokenizers` crate: the same ids as Hugging Face, because it is the same code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use napi::bindgen_prelude::{AsyncTask, Int32Array, Uint32Array};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

/// Runs `work`; a panic inside it becomes an error that says where it happened.
fn guarded<T>(doing: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(failure(format!("{doing} failed inside the tokenizer: {said}")))
    })
}

fn failure(message: impl std::fmt::Display) -> Error {
    Error::new(Status::GenericFailure, message.to_string())
}

/// Tokens of a text and where each came from.
#[napi(object)]
pub struct EncodedText {
    /// Token ids. Shape: [T].
    pub ids: Int32Array,
    /// Start and end of each token in the text, in UTF-16 code units. Shape: [2 T].
    pub offsets: Uint32Array,
}

/// A tokenizer loaded from the text of a `tokenizer.json`.
#[napi]
pub struct NativeTokenizer {
    inner: Tokenizer,
}

#[napi]
impl NativeTokenizer {
    /// Reads the text of a `tokenizer.json`; an error names what is wrong in it.
    #[napi(factory)]
    pub fn from_json(json: String) -> Result<Self> {
        guarded("reading tokenizer.json", || {
            // First as any JSON: on JSON cut short the tokenizers crate panics.
            serde_json::from_str::<serde_json::Value>(&json)
                .map_err(|error| failure(format!("tokenizer.json is not valid: {error}")))?;
            let mut inner =
                Tokenizer::from_str(&json).map_err(|error| failure(format!("tokenizer.json is not valid: {error}")))?;
            inner.with_padding(None);
            inner.with_truncation(None).map_err(failure)?;
            Ok(Self { inner })
        })
    }

    /// The tokenizer as the text of a `tokenizer.json`.
    #[napi]
    pub fn to_json(&self) -> Result<String> {
        guarded("writing tokenizer.json", || self.inner.to_string(true).map_err(failure))
    }

    /// Token ids of `text`. `add_special` lets the post-processor add its tokens (beginning of text, say);
    /// `parse_special` reads the text of a special token as that token rather than as ordinary characters.
    #[napi]
    pub fn encode(&mut self, text: String, add_special: bool, parse_special: bool) -> Result<Int32Array> {
        guarded("encoding", || {
            self.inner.set_encode_special_tokens(!parse_special);
            let encoding = self.inner.encode_fast(text, add_special).map_err(failure)?;
            Ok(signed(encoding.get_ids()).into())
        })
    }

    /// As `encode` without added tokens and with special tokens parsed, and where in the text each token lies.
    #[napi]
    pub fn encode_with_offsets(&mut self, text: String) -> Result<EncodedText> {
        guarded("encoding", || {
            self.inner.set_encode_special_tokens(false);
            let encoding = self.inner.encode(text.as_str(), false).map_err(failure)?;
            let units = utf16_position_of_byte(&text);
            let offsets: Vec<u32> =
                encoding.get_offsets().iter().flat_map(|&(start, end)| [units[start], units[end]]).collect();
            Ok(EncodedText { ids: signed(encoding.get_ids()).into(), offsets: offsets.into() })
        })
    }

    /// Text of `ids`. An id without a token (padding of the vocabulary) has no text; incomplete UTF-8 becomes U+FFFD.
    #[napi]
    pub fn decode(&self, ids: &[i32], skip_special: bool) -> Result<String> {
        guarded("decoding", || {
            let ids = ids
                .iter()
                .map(|&id| u32::try_from(id).map_err(|_| failure(format!("token id {id} is negative"))))
                .collect::<Result<Vec<u32>>>()?;
            self.inner.decode(&ids, skip_special).map_err(failure)
        })
    }

    /// Ids in use, added tokens included: one more than the highest id.
    #[napi(getter)]
    pub fn vocabulary_size(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().map_or(0, |highest| highest.saturating_add(1))
    }

    /// The id of a token written as in the vocabulary.
    #[napi]
    pub fn token_to_id(&self, token: String) -> Option<u32> {
        self.inner.token_to_id(&token)
    }

    /// The token of an id, written as in the vocabulary.
    #[napi]
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Ids of the tokens marked special, ascending.
    #[napi(getter)]
    pub fn special_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self
            .inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter_map(|(id, token)| token.special.then_some(id))
            .collect();
        ids.sort_unstable();
        ids
    }
}

fn signed(ids: &[u32]) -> Vec<i32> {
    ids.iter().map(|&id| id.cast_signed()).collect()
}

/// For each byte position of `text`, and its end, the UTF-16 code units before it.
fn utf16_position_of_byte(text: &str) -> Vec<u32> {
    let mut positions = vec![0; text.len() + 1];
    let mut units = 0;
    for (start, character) in text.char_indices() {
        positions[start..start + character.len_utf8()].fill(units);
        units += character.len_utf16() as u32;
    }
    positions[text.len()] = units;
    positions
}

/// Trains off the JavaScript thread.
pub struct TrainByteLevelBpe {
    texts: Vec<String>,
    vocabulary_size: usize,
    minimum_frequency: u64,
    special_tokens: Vec<String>,
}

impl Task for TrainByteLevelBpe {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        guarded("training the tokenizer", || {
            let special: Vec<AddedToken> =
                self.special_tokens.iter().map(|token| AddedToken::from(token.as_str(), true)).collect();
            let trainer = BpeTrainerBuilder::new()
                .show_progress(false)
                .vocab_size(self.vocabulary_size)
                .min_frequency(self.minimum_frequency)
                .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
                .special_tokens(special)
                .build();
            let byte_level = ByteLevel::new(false, false, true);
            let mut tokenizer = Tokenizer::new(BPE::default());
            tokenizer
                .with_pre_tokenizer(Some(byte_level))
                .with_post_processor(Some(byte_level))
                .with_decoder(Some(byte_level));
            tokenizer.train(&mut TrainerWrapper::from(trainer), self.texts.iter()).map_err(failure)?;
            tokenizer.to_string(true).map_err(failure)
        })
    }

    fn resolve(&mut self, _env: Env, json: String) -> Result<String> {
        Ok(json)
    }
}

/// Trains a byte-level BPE on `texts` and gives its `tokenizer.json`. Special tokens get the lowest ids, in their order,
/// then come the 256 bytes, then merges.
#[napi(ts_return_type = "Promise<string>")]
pub fn train_byte_level_bpe(
    texts: Vec<String>,
    vocabulary_size: u32,
    minimum_frequency: u32,
    special_tokens: Vec<String>,
) -> AsyncTask<TrainByteLevelBpe> {
    AsyncTask::new(TrainByteLevelBpe {
        texts,
        vocabulary_size: vocabulary_size as usize,
        minimum_frequency: u64::from(minimum_frequency),
        special_tokens,
    })
}
