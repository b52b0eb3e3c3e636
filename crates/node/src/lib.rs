//! The napi-rs binding: converts, forwards, and turns every panic and error into a JavaScript error. No logic.

mod machine;
mod model;
mod options;
mod promises;
mod sampling;
mod sequences;
mod tokenizer;

#[global_allocator]
static ALLOCATOR: whetstone_engine::memory::LineAligned = whetstone_engine::memory::LineAligned;
