//! Scoring and training passes of a model over micro-batches.

use super::any_model::Inputs;
use super::model::Model;
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::backward::Gradients;
use crate::model::forward::Sizes;
use crate::model::train::{Keep, Sequence, TokenOutputs, backward, check, check_gradients, forward};

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

/// Bytes that the backward pass keeps of a row, and with recomputation.
fn row_bytes<E: GemmElement>(model: &Model<E>) -> (usize, usize) {
    let (sizes, layers) = (Sizes::of(&model.weights), model.weights.layout.config.num_layers);
    let raw = if model.weights.layout.config.qk_norm { 4 * sizes.qkv_width() } else { 0 };
    let elements = sizes.qkv_width() + sizes.query_width() + 2 * sizes.intermediate;
    let layer = 8 * sizes.hidden + 4 * sizes.heads.heads + raw + elements * size_of::<E>();
    (layers * layer, layers * 4 * sizes.hidden + layer)
}

pub fn fitting<E: GemmElement>(model: &Model<E>, examples: &[Vec<Sequence>]) -> (usize, bool) {
    let (kept, recomputed) = row_bytes(model);
    let rows_of = |count: usize| -> usize {
        let items: Vec<_> = examples[..count].iter().flatten().collect();
        let items: Vec<_> = items.iter().map(|s| crate::model::plan::Item { tokens: &s.input, mask: s.mask }).collect();
        crate::model::plan::plan(&items, true).tokens.len()
    };
    let budget = model.options.activation_bytes;
    if rows_of(1) * kept > budget {
        return (1, recomputed < kept);
    }
    // Rows grow with the number of examples, so the largest number that fits is found by halving.
    let (mut low, mut high) = (1, examples.len());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if rows_of(middle) * kept <= budget { low = middle } else { high = middle - 1 }
    }
    (low, false)
}

pub fn score<E: GemmElement>(model: &mut Model<E>, inputs: &Inputs) -> Result<TokenOutputs> {
    check_inputs(model, inputs)?;
    let Inputs { sequences, ask, share } = inputs;
    let adapter = model.adapter.as_ref();
    let (outputs, _) =
        forward(&model.pool, &model.weights, adapter, sequences, *ask, Keep::Nothing, *share, &mut model.buffers);
    Ok(outputs)
}

pub fn forward_keep<E: GemmElement>(model: &mut Model<E>, inputs: &Inputs, recompute: bool) -> Result<TokenOutputs> {
    model.trained("forwardBackward")?;
    check_inputs(model, inputs)?;
    model.kept = None;
    let Inputs { sequences, ask, share } = inputs;
    let keep = if recompute { Keep::Inputs } else { Keep::Activations };
    let adapter = model.adapter.as_ref();
    let (outputs, kept) =
        forward(&model.pool, &model.weights, adapter, sequences, *ask, keep, *share, &mut model.buffers);
    model.kept = kept;
    Ok(outputs)
}

pub fn go_back<E: GemmElement>(model: &mut Model<E>, gradients: &TokenOutputs) -> Result<()> {
    let kept = model.kept.take().ok_or_else(|| Error::new("backward: no forward pass is waiting for it"))?;
    check_gradients(&kept, gradients, model.weights.layout.value_head)?;
    let Some(parameters) = &mut model.trained else { return Err(Error::new("backward: this model is not trained")) };
    parameters.begin_gradients();
    let mut into = match &model.adapter {
        Some(adapter) => Gradients::Lora(adapter, &mut parameters.gradients),
        None => Gradients::Full(&mut parameters.gradients),
    };
    backward(&model.pool, &model.weights, kept, gradients, &mut into, &mut model.buffers);
    Ok(())
}
