//! Tokens and weights in, numbers per token out. Knows nothing of JavaScript and nothing of any training algorithm.

pub mod buffers;
pub mod config;
pub mod convert;
pub mod element;
pub mod error;
pub mod gemm;
pub mod isa;
pub mod memory;
pub mod model;
pub mod ops;
pub mod optim;
pub mod pool;
pub mod sample;
pub mod session;
pub mod weights;
