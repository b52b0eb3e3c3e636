//! Sequences in and numbers per token out, in flat arrays.

use napi::bindgen_prelude::{Float32Array, Int32Array, Uint32Array};
use napi::{Error, Result};
use napi_derive::napi;
use whetstone_engine::model::train::{Ask, Sequence, TokenOutputs};
use whetstone_engine::ops::attention::Mask;
use whetstone_engine::session::Inputs;

/// Sequences, one after another, and what is asked of them.
#[napi(object)]
pub struct NativeInputs {
    pub tokens: Int32Array,
    pub targets: Int32Array,
    pub lengths: Uint32Array,
    /// For each sequence: -1 causal, -2 bidirectional, n >= 0 a bidirectional prefix of n tokens.
    pub masks: Int32Array,
    pub temperature: f64,
    pub entropy: bool,
    pub values: bool,
    pub share: bool,
}

pub fn read_sequences(inputs: &NativeInputs) -> Result<Vec<Sequence>> {
    let total: usize = inputs.lengths.iter().map(|&length| length as usize).sum();
    if total != inputs.tokens.len() || total != inputs.targets.len() || inputs.masks.len() != inputs.lengths.len() {
        return Err(Error::from_reason("sequences: tokens, targets, lengths and masks do not fit together"));
    }
    let mut at = 0;
    let sequence = |(&length, &mask): (&u32, &i32)| {
        let range = at..at + length as usize;
        at = range.end;
        // A negative token becomes one beyond any vocabulary, which the engine refuses by position.
        let input =
            inputs.tokens[range.clone()].iter().map(|&token| u32::try_from(token).unwrap_or(u32::MAX)).collect();
        let mask = match mask {
            -1 => Mask::Causal,
            -2 => Mask::Bidirectional,
            length => Mask::Prefix(length.max(0) as usize),
        };
        Sequence { input, target: inputs.targets[range].to_vec(), mask }
    };
    Ok(inputs.lengths.iter().zip(inputs.masks.iter()).map(sequence).collect())
}

pub fn read_inputs(inputs: &NativeInputs) -> Result<Inputs> {
    let sequences = read_sequences(inputs)?;
    let ask = Ask { temperature: inputs.temperature as f32, entropy: inputs.entropy, values: inputs.values };
    Ok(Inputs { sequences, ask, share: inputs.share })
}

/// Numbers for every token, one sequence after another; the shapes of `targets`.
#[napi(object)]
pub struct NativeOutputs {
    pub logprobs: Float32Array,
    pub entropy: Option<Float32Array>,
    pub values: Option<Float32Array>,
    /// Whether the layers were computed in sampling, and not again.
    pub sampled: Option<bool>,
}

pub fn write_outputs(outputs: TokenOutputs, sampled: bool) -> NativeOutputs {
    let flat = |rows: Vec<Vec<f32>>| Float32Array::new(rows.concat());
    NativeOutputs {
        logprobs: flat(outputs.logprobs),
        entropy: outputs.entropy.map(flat),
        values: outputs.values.map(flat),
        sampled: Some(sampled),
    }
}

pub fn read_gradients(outputs: &NativeOutputs, lengths: &[u32]) -> Result<TokenOutputs> {
    let total: usize = lengths.iter().map(|&length| length as usize).sum();
    let cut = |values: &Float32Array| -> Result<Vec<Vec<f32>>> {
        if values.len() != total {
            return Err(Error::from_reason(format!("gradients: {} numbers for {total} tokens", values.len())));
        }
        let mut at = 0;
        let row = |&length: &u32| {
            at += length as usize;
            values[at - length as usize..at].to_vec()
        };
        Ok(lengths.iter().map(row).collect())
    };
    Ok(TokenOutputs {
        logprobs: cut(&outputs.logprobs)?,
        entropy: outputs.entropy.as_ref().map(cut).transpose()?,
        values: outputs.values.as_ref().map(cut).transpose()?,
    })
}
