//! Models as their users hold them, behind one thread that computes for all.

mod model;
mod runtime;
mod sampling;
mod source;
mod state;

pub use model::{AnyModel, Inputs, LoadOptions, Model, Precision, new_model, open_model};
pub use runtime::{Runtime, Sampler};
pub use sampling::{SampleAsk, SampleEvent};
