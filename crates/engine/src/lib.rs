//! Tokens and weights in, numbers per token out. Knows nothing of JavaScript and nothing of any training algorithm.

pub mod error;
