//! Tokens and weights in, numbers per token out. Knows nothing of JavaScript and nothing of any training algorithm.

pub mod config;
pub mod error;
pub mod element;
pub mod gemm;
pub mod isa;
pub mod pool;
pub mod ops;
pub mod model;
pub mod optim;
pub mod sample;
pub mod weights;
