//! Weights in and out: Hugging Face folders (safetensors), GGUF files, PEFT adapters.
//!
//! Every length, offset and shape in a file is checked against the file's size before anything is allocated for it; an
//! error names the file and the field.

mod adapter;
mod atomic;
mod checkpoint;
mod folder;
mod gguf;
mod mapped;
mod numbers;
mod safetensors;
mod safetensors_header;
mod safetensors_write;
mod save;
mod unique_map;

#[cfg(test)]
mod tests;

pub use adapter::{Adapter, AdapterBase, AdapterTensor, read_adapter, read_adapter_base, write_adapter};
pub(crate) use adapter::{CONFIG as ADAPTER_CONFIG, WEIGHTS as ADAPTER_WEIGHTS};
pub use checkpoint::Checkpoint;
pub use numbers::Dtype;
pub use safetensors::SafetensorsFile;
pub use safetensors_write::{SafetensorsData, SafetensorsEntry, write_safetensors};
pub use save::save_checkpoint;
