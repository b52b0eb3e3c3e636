//! The transformer: its tensors, its forward and backward passes, and the prefix tree that a batch of sequences makes.

pub mod adapter;
pub mod backward;
pub mod forward;
mod head_input;
pub mod init;
pub mod kept_layers;
pub mod layout;
pub mod linear;
pub mod plan;
pub mod tape;
pub mod train;
pub mod weights;
