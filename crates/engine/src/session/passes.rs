//! Scoring and training passes of a model over micro-batches.

use super::any_model::Inputs;
use super::model::Model;
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::backward::Gradients;
use crate::model::forward::Sizes;
use crate::model::plan::{Item, plan};
use crate::model::tape::lock;
use crate::model::train::{Keep, Kept, Sequence, TokenOutputs, backward, check, check_gradients, forward};
use crate::ops::head::BACKWARD_COLUMNS;

fn check_inputs<E: GemmElement>(model: &Model<E>, inputs: &Inputs) -> Result<()> {
    let config = &model.weights.layout.config;
    check(&inputs.sequences, config.vocab_size, config.max_position)?;
    let t = inputs.ask.temperature;
    if !(t.is_finite() && t > 0.0) {
        return Err(Error::new(format!("temperature is {t}; scoring needs one above 0")));
    }
    if inputs.ask.values && !model.weights.layout.value_head {
        return Err(Error::new(
            "values were asked of a model without a value head; make it with trainable(..., 'value')",
        ));
    }
    Ok(())
}

/// Bytes of memory that one row of a micro-batch takes in training.
struct RowBytes {
    /// With every layer's activations kept.
    kept: usize,
    /// With only the layers' inputs kept.
    recomputed: usize,
}

fn row_bytes<E: GemmElement>(model: &Model<E>) -> RowBytes {
    let (sizes, config) = (Sizes::of(&model.weights), &model.weights.layout.config);
    let Sizes { hidden, intermediate, .. } = sizes;
    let (queries, keys, qkv) = (sizes.query_width(), sizes.key_width(), sizes.qkv_width());
    let raw = if config.qk_norm { 4 * qkv } else { 0 };
    let layer = 8 * hidden + 4 * sizes.heads.heads + raw + (qkv + queries + 2 * intermediate) * size_of::<E>();
    // What the passes work with besides, one layer at a time: gradients in f32, and operands packed for products.
    let gradients = 2 * hidden + 3 * intermediate + 2 * queries + qkv + 4 * keys;
    let operands = 3 * hidden + 5 * intermediate + 2 * BACKWARD_COLUMNS.min(config.vocab_size);
    let work = 4 * gradients + operands * size_of::<E>();
    let layers = config.num_layers;
    RowBytes { kept: layers * layer + work, recomputed: layers * 4 * hidden + layer + work }
}

/// How many examples, from the first, fit the memory of one micro-batch, at least one; and whether to recompute. `share`: as
/// in the pass that follows. Where `recompute` is unset it is decided here: when the first example does not fit without.
pub fn fitting<E: GemmElement>(
    model: &Model<E>,
    examples: &[Vec<Sequence>],
    share: bool,
    recompute: Option<bool>,
) -> Result<(usize, bool)> {
    let config = &model.weights.layout.config;
    for example in examples {
        check(example, config.vocab_size, config.max_position)?;
    }
    let rows_of = |count: usize| -> usize {
        let items = examples[..count].iter().flatten().map(|s| Item { tokens: &s.input, mask: s.mask });
        plan(&items.collect::<Vec<_>>(), share).tokens.len()
    };
    let (bytes, budget) = (row_bytes(model), model.options.activation_bytes);
    let crowded = |examples: &[Vec<Sequence>]| !examples.is_empty() && rows_of(1) * bytes.kept > budget;
    let recompute = recompute.unwrap_or_else(|| bytes.recomputed < bytes.kept && crowded(examples));
    let row = if recompute { bytes.recomputed } else { bytes.kept };
    // Rows grow with the number of examples, so the largest number that fits is found by halving.
    let (mut low, mut high) = (examples.len().min(1), examples.len());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if rows_of(middle) * row <= budget { low = middle } else { high = middle - 1 }
    }
    Ok((low, recompute))
}

pub fn score<E: GemmElement>(model: &mut Model<E>, inputs: &Inputs) -> Result<TokenOutputs> {
    check_inputs(model, inputs)?;
    let Inputs { sequences, ask, share } = inputs;
    let adapter = model.adapter.as_ref();
    let (outputs, _) =
        forward(&model.pool, &model.weights, adapter, sequences, *ask, Keep::Nothing, *share, None, &mut model.buffers);
    Ok(outputs)
}

pub fn forward_keep<E: GemmElement>(
    model: &mut Model<E>,
    inputs: &Inputs,
    recompute: bool,
) -> Result<(TokenOutputs, bool)> {
    model.trained("forwardBackward")?;
    check_inputs(model, inputs)?;
    discard(model);
    let Inputs { sequences, ask, share } = inputs;
    let keep = if recompute { Keep::Inputs } else { Keep::Activations };
    let adapter = model.adapter.as_ref();
    let version = model.tape_version();
    let mut tape = model.tape.as_ref().map(|tape| lock(tape));
    let tape = tape.as_deref_mut().map(|tape| (tape, version));
    let (outputs, kept) =
        forward(&model.pool, &model.weights, adapter, sequences, *ask, keep, *share, tape, &mut model.buffers);
    model.kept = kept;
    Ok((outputs, model.kept.as_ref().is_some_and(Kept::is_taped)))
}

/// Gives up a micro-batch between its passes.
pub fn discard<E: GemmElement>(model: &mut Model<E>) {
    if let Some(kept) = model.kept.take() {
        kept.release(&mut model.buffers);
    }
    read_tape(model);
}

/// No backward pass will read the tape.
fn read_tape<E: GemmElement>(model: &Model<E>) {
    if let Some(tape) = &model.tape {
        lock(tape).read();
    }
}

pub fn go_back<E: GemmElement>(model: &mut Model<E>, gradients: &TokenOutputs) -> Result<()> {
    let kept = model.kept.take().ok_or_else(|| Error::new("backward: no forward pass is waiting for it"))?;
    if let Err(error) = check_gradients(&kept, gradients, model.weights.layout.value_head) {
        kept.release(&mut model.buffers);
        read_tape(model);
        return Err(error);
    }
    let Some(parameters) = &mut model.trained else { return Err(Error::new("backward: this model is not trained")) };
    parameters.begin_gradients();
    let mut into = match &model.adapter {
        Some(adapter) => Gradients::Lora(adapter, &mut parameters.gradients),
        None => Gradients::Full(&mut parameters.gradients),
    };
    let tape = model.tape.as_ref().map(|tape| lock(tape));
    backward(&model.pool, &model.weights, kept, gradients, &mut into, tape.as_deref(), &mut model.buffers);
    drop(tape);
    read_tape(model);
    Ok(())
}
