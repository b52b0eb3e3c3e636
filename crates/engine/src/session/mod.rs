//! Models as their users hold them, behind one thread that computes for all.

mod adapter;
mod any_model;
mod model;
mod passes;
mod runtime;
mod sampling;
mod source;
mod state;
mod trainable;

#[cfg(test)]
mod tests;

pub use any_model::{Aborter, AnyModel, Inputs, LoadOptions, Precision, new_model, open_model};
pub use model::Model;
pub use runtime::{Runtime, Sampler};
pub use sampling::SampleAsk;
