//! GGUF files (llama.cpp's format, versions 2 and 3): the container, and the Hugging Face model that it holds.

mod config;
mod container;
mod cursor;
mod dequantize;
mod header;
mod names;
mod pre_tokenizers;
mod tokenizer;

use std::collections::HashMap;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::weights::mapped::MappedFile;
use container::GgufFile;

/// An open GGUF file seen as a Hugging Face checkpoint.
#[derive(Debug)]
pub(crate) struct GgufModel {
    file: GgufFile,
    pub(crate) config: ModelConfig,
    /// Numbers of the file's tensors by their Hugging Face names.
    by_name: HashMap<String, usize>,
}

impl GgufModel {
    pub(crate) fn open(file: MappedFile) -> Result<Self> {
        let file = GgufFile::open(file)?;
        let config = config::read_config(&file)?;
        let mut by_name = HashMap::new();
        for (index, tensor) in file.tensors.iter().enumerate() {
            if by_name.insert(names::hugging_face_name(&tensor.name), index).is_some() {
                return Err(file.error(&format!("tensor '{}'", tensor.name), "occurs twice, under two names"));
            }
        }
        Ok(Self { file, config, by_name })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Row-major, as Hugging Face has it: GGUF lists dimensions fastest first.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let index = self.by_name.get(name)?;
        Some(self.file.tensors[*index].dimensions.iter().rev().copied().collect())
    }

    /// Values of a tensor that is there, row-major, dequantised, rows of q and k in Hugging Face's order.
    pub(crate) fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = &self.file.tensors[self.by_name[name]];
        let values = dequantize::dequantize(tensor.kind, self.file.tensor_bytes(tensor));
        Ok(match names::rotated_heads(&self.config, self.file.architecture()?, name) {
            Some(heads) => names::unpermute(&values, heads, self.config.head_dim),
            None => values,
        })
    }

    pub(crate) fn tokenizer_json(&self) -> Result<Option<String>> {
        tokenizer::tokenizer_json(&self.file)
    }

    pub(crate) fn chat_template(&self) -> Result<Option<String>> {
        Ok(self.file.text("tokenizer.chat_template")?.map(String::from))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }
}

/// The values of a block format by its number, for the tests of all formats.
#[cfg(test)]
pub(crate) fn decode_for_test(kind: u32, bytes: &[u8]) -> Vec<f32> {
    dequantize::dequantize(dequantize::TensorKind::of(kind).expect("a supported format"), bytes)
}
