//! One micro-batch: forward over its prefix tree, and back from the gradients of what the model said.

use std::sync::Arc;

use crate::buffers::{Buffer, Buffers};
use crate::error::{Error, Result};
use crate::gemm::{GemmElement, Rows};
use crate::model::adapter::Adapter;
use crate::model::backward::{Gradients, StreamGradient};
use crate::model::forward::{Batch, Pass, Sizes};
use crate::model::head_input::HeadInput;
use crate::model::init::uniform_at;
use crate::model::kept_layers::KeptLayers;
use crate::model::linear::stride_of;
use crate::model::plan::{Item, plan};
use crate::model::tape::{Tape, TapeVersion};
use crate::model::weights::Weights;
use crate::ops::attention::Mask;
use crate::ops::head::{HeadGradients, HeadOutputs, Queries, head_backward, head_forward};
use crate::ops::math::{add_scaled, dot};
use crate::ops::norm::{rms_norm_backward, rms_norm_row};
use crate::ops::pages::Pages;
use crate::pool::Pool;

/// A target that asks nothing.
pub const NO_TARGET: i32 = -1;

/// A sequence to score: at position i the model sees `input[0..=i]` and is asked about `target[i]`.
#[derive(Debug, Clone)]
pub struct Sequence {
    pub input: Vec<u32>,
    /// Token ids, or `NO_TARGET`.
    pub target: Vec<i32>,
    pub mask: Mask,
}

/// What to compute besides log-probabilities.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub temperature: f32,
    pub entropy: bool,
    pub values: bool,
}

/// What the backward pass will need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Activations,
    /// Only each layer's input; the rest is computed again.
    Inputs,
}

/// By sequence, aligned with its targets. A position without a target has 0.
#[derive(Debug, Clone, Default)]
pub struct TokenOutputs {
    pub logprobs: Vec<Vec<f32>>,
    pub entropy: Option<Vec<Vec<f32>>>,
    pub values: Option<Vec<Vec<f32>>>,
}

impl TokenOutputs {
    /// Puts what was said of one sequence in the place of what was said of sequence `index`.
    fn replace(&mut self, index: usize, mut of_one: Self) {
        let both = |all: &mut Option<Vec<Vec<f32>>>, one: &mut Option<Vec<Vec<f32>>>| {
            all.as_mut().zip(one.as_mut()).into_iter().for_each(|(all, one)| all[index] = std::mem::take(&mut one[0]));
        };
        self.logprobs[index] = std::mem::take(&mut of_one.logprobs[0]);
        both(&mut self.entropy, &mut of_one.entropy);
        both(&mut self.values, &mut of_one.values);
    }
}

/// A micro-batch between its two passes.
pub struct Kept<E> {
    batch: Batch<E>,
    path_rows: Vec<Vec<u32>>,
    layers: KeptLayers<E>,
    last: Buffer<f32>,
    head: HeadInput<E>,
    outputs: HeadOutputs,
    temperature: f32,
}

impl<E: GemmElement> Kept<E> {
    /// Whether the sampler computed it, and its activations are on a tape.
    pub fn is_taped(&self) -> bool {
        matches!(self.layers, KeptLayers::Taped(_))
    }

    /// Gives the buffers back.
    pub fn release(self, free: &mut Buffers<E>) {
        self.layers.release(free);
        free.floats.give(self.last);
        free.elements.give(self.head.hidden);
    }
}

/// Refuses sequences that the model cannot take.
pub fn check(sequences: &[Sequence], vocabulary: usize, context: usize) -> Result<()> {
    for (index, sequence) in sequences.iter().enumerate() {
        let (inputs, targets) = (sequence.input.len(), sequence.target.len());
        if inputs == 0 || inputs != targets {
            let problem = format!(
                "sequence {index} has {inputs} input and {targets} target tokens; they must be as many, at least 1"
            );
            return Err(Error::new(problem));
        }
        if inputs > context {
            return Err(Error::new(format!("sequence {index} has {inputs} tokens; the model's context is {context}")));
        }
        let bad_input = sequence.input.iter().position(|&token| token as usize >= vocabulary);
        let bad_target = sequence.target.iter().position(|&token| token < NO_TARGET || token >= vocabulary as i32);
        for (what, position, token) in [
            ("input", bad_input, bad_input.map(|at| i64::from(sequence.input[at]))),
            ("target", bad_target, bad_target.map(|at| i64::from(sequence.target[at]))),
        ] {
            if let (Some(position), Some(token)) = (position, token) {
                let range = format!("the vocabulary has 0 to {}", vocabulary - 1);
                return Err(Error::new(format!("sequence {index}, {what}[{position}] is token {token}; {range}")));
            }
        }
    }
    Ok(())
}

/// Of so many sequences at least, one that the tape has is computed again.
const CHECKED_OF: usize = 8;

/// The sequence that is computed again although the tape has it, so that sampler and trainer never part unseen: another by version and
/// micro-batch, and of few sequences not always one.
fn checked_sequence(version: TapeVersion, on_tape: &[u32], sequences: usize) -> Option<usize> {
    let place = uniform_at(version.0, [version.1, u64::from(*on_tape.first()?)]);
    let index = (place * sequences.max(CHECKED_OF) as f64) as usize;
    (index < sequences).then_some(index)
}

/// Runs a micro-batch forward. Sequences must have passed `check`. Where something is to be kept and `tape` has every
/// row, of the weights' version, they are not computed again, but for `checked_sequence`; nor is what the head says of
/// them, where the sampler asked it the same.
pub fn forward<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    adapter: Option<&Arc<Adapter<E>>>,
    sequences: &[Sequence],
    ask: Ask,
    keep: Keep,
    share: bool,
    tape: Option<(&mut Tape<E>, TapeVersion)>,
    free: &mut Buffers<E>,
) -> (TokenOutputs, Option<Kept<E>>) {
    let items: Vec<Item<'_>> = sequences.iter().map(|s| Item { tokens: &s.input, mask: s.mask }).collect();
    let plan = plan(&items, share);
    let rows = plan.tokens.len();
    let mut tape = tape.filter(|_| keep != Keep::Nothing);
    let taped = tape.as_mut().and_then(|(tape, version)| {
        let rows = tape.find(*version, &plan)?;
        Some((tape.last(pool, &rows, free), KeptLayers::Taped(rows)))
    });
    let adapted = adapter.map(|adapter| (0..rows, Arc::clone(adapter))).into_iter().collect();
    let batch =
        Batch { tokens: plan.tokens, positions: plan.positions, spans: plan.spans, writes: plan.writes, adapted };
    let sizes = Sizes::of(weights);
    let pass = Pass { pool, weights, batch: &batch };
    let (x, layers) = taped.unwrap_or_else(|| compute(&pass, plan.pages, keep, free));
    let head = HeadInput::of(&pass, sequences, &plan.sequence_rows, rows, &x, free);
    let head_weight = weights.matrix(weights.layout.head());
    let stride = stride_of::<E>(sizes.hidden);
    let hidden = Rows { data: &head.hidden, rows: head.rows.len(), stride };
    let inverse = 1.0 / ask.temperature;
    let queries = Queries { offsets: &head.offsets, targets: &head.targets };
    let (said, checked) = match (&layers, &tape) {
        (KeptLayers::Taped(on_tape), Some((tape, version))) => {
            let rows: Vec<u32> = head.rows.iter().map(|&row| on_tape[row as usize]).collect();
            (tape.said(&rows, inverse, &queries), checked_sequence(*version, on_tape, sequences.len()))
        }
        _ => (None, None),
    };
    let outputs = said
        .unwrap_or_else(|| head_forward(pool, hidden, head_weight, &vec![inverse; head.rows.len()], &queries, None));
    let values = ask.values.then(|| values(&pass, &x, &head.rows));
    let mut token_outputs = head.by_sequence(&outputs, ask, values.as_deref());
    if let Some(index) = checked {
        let sequence = &sequences[index..=index];
        let (again, _) = forward(pool, weights, adapter, sequence, ask, Keep::Nothing, share, None, free);
        token_outputs.replace(index, again);
    }
    if keep == Keep::Nothing {
        free.floats.give(x);
        free.elements.give(head.hidden);
        return (token_outputs, None);
    }
    let (path_rows, temperature) = (plan.path_rows, ask.temperature);
    (token_outputs, Some(Kept { batch, path_rows, layers, last: x, head, outputs, temperature }))
}

/// Runs the layers of a batch of so many pages: what comes out of the last one, [rows, hidden], and what is kept on the
/// way.
fn compute<E: GemmElement>(
    pass: &Pass<'_, E>,
    pages: usize,
    keep: Keep,
    free: &mut Buffers<E>,
) -> (Buffer<f32>, KeptLayers<E>) {
    let mut x = pass.embed(free);
    let (mut whole, mut inputs) = (Vec::new(), Vec::new());
    let mut one_layer = Pages::new(Sizes::of(pass.weights).heads, 1, pages);
    let for_backward = keep == Keep::Activations;
    pass.layers(&mut x, &mut one_layer, |_| 0, for_backward, free, &mut |mut kept, free| match keep {
        Keep::Nothing => kept.release(free),
        Keep::Activations => whole.push(kept),
        Keep::Inputs => {
            inputs.push(std::mem::take(&mut kept.input));
            kept.release(free);
        }
    });
    (x, if keep == Keep::Inputs { KeptLayers::Inputs(inputs, pages) } else { KeptLayers::Whole(whole) })
}

/// The scalar head on chosen rows, in f32.
fn values<E: GemmElement>(pass: &Pass<'_, E>, x: &[f32], rows: &[u32]) -> Vec<f32> {
    let sizes = Sizes::of(pass.weights);
    let layout = &pass.weights.layout;
    let (norm, head) = (pass.weights.vector(layout.final_norm()), pass.weights.vector(layout.value()));
    let mut normed = vec![0.0; sizes.hidden];
    rows.iter()
        .map(|&row| {
            let at = row as usize * sizes.hidden;
            rms_norm_row(&x[at..at + sizes.hidden], norm, sizes.eps, &mut normed);
            dot(&normed, head)
        })
        .collect()
}

/// Refuses gradients that are not of what a micro-batch said.
pub fn check_gradients<E>(kept: &Kept<E>, given: &TokenOutputs, value_head: bool) -> Result<()> {
    if given.values.is_some() && !value_head {
        return Err(Error::new(
            "the loss gave gradients of values, but the model has no value head; make it with trainable(..., 'value')",
        ));
    }
    let lengths: Vec<usize> = kept.head.places.iter().map(Vec::len).collect();
    for (what, rows) in
        [("logprobs", Some(&given.logprobs)), ("entropy", given.entropy.as_ref()), ("values", given.values.as_ref())]
    {
        let fits = |rows: &Vec<Vec<f32>>| rows.iter().map(Vec::len).eq(lengths.iter().copied());
        if !rows.is_none_or(fits) {
            return Err(Error::new(format!("the gradients of {what} are not as long as the sequences they belong to")));
        }
    }
    Ok(())
}

/// Adds the gradients of a micro-batch, given those of what it said. They must have passed `check_gradients`. `tape` is
/// that of the forward pass.
pub fn backward<E: GemmElement>(
    pool: &Pool,
    weights: &Weights<E>,
    kept: Kept<E>,
    given: &TokenOutputs,
    gradients: &mut Gradients<'_, E>,
    tape: Option<&Tape<E>>,
    free: &mut Buffers<E>,
) {
    let Kept { batch, path_rows, layers, last, head, outputs, temperature } = kept;
    let sizes = Sizes::of(weights);
    let pass = Pass { pool, weights, batch: &batch };
    let d = head_gradient(&pass, &last, &head, &outputs, temperature, given, gradients, free);
    let mut d = StreamGradient::new(pool, d, sizes.hidden, free);
    free.floats.give(last);
    free.elements.give(head.hidden);
    layers.backwards(&pass, tape, free, |layer, kept, free| {
        pass.layer_backward(layer, kept, &path_rows, &mut d, gradients, free);
    });
    if let Some(table) = gradients.tensor(weights.layout.embedding()) {
        for (&token, row) in batch.tokens.iter().zip(d.exact.chunks_exact(sizes.hidden)) {
            let at = token as usize * sizes.hidden;
            add_scaled(&mut table[at..at + sizes.hidden], row, 1.0);
        }
    }
    d.release(free);
}

/// The gradient in the last layer's output, [rows, hidden], from those of the head's outputs.
fn head_gradient<E: GemmElement>(
    pass: &Pass<'_, E>,
    last: &[f32],
    head: &HeadInput<E>,
    outputs: &HeadOutputs,
    temperature: f32,
    given: &TokenOutputs,
    gradients: &mut Gradients<'_, E>,
    free: &mut Buffers<E>,
) -> Buffer<f32> {
    let (pool, weights, sizes) = (pass.pool, pass.weights, Sizes::of(pass.weights));
    let count = head.rows.len();
    let (d_logprobs, d_entropies, d_values) = head.gradients(given);
    let stride = stride_of::<E>(sizes.hidden);
    let active: Vec<usize> = (0..count)
        .filter(|&row| {
            let asked = &d_logprobs[head.offsets[row]..head.offsets[row + 1]];
            asked.iter().any(|&d| d != 0.0) || d_entropies[row] != 0.0 || d_values[row] != 0.0
        })
        .collect();
    let (mut hidden, mut offsets, mut targets, mut d_asked) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    let mut of_rows = HeadOutputs { log_sums: Vec::new(), entropies: Vec::new(), logprobs: Vec::new() };
    for &row in &active {
        hidden.extend_from_slice(&head.hidden[row * stride..(row + 1) * stride]);
        let range = head.offsets[row]..head.offsets[row + 1];
        targets.extend_from_slice(&head.targets[range.clone()]);
        d_asked.extend_from_slice(&d_logprobs[range]);
        offsets.push(targets.len());
        of_rows.log_sums.push(outputs.log_sums[row]);
        of_rows.entropies.push(outputs.entropies[row]);
    }
    let active_entropies: Vec<f32> = active.iter().map(|&row| d_entropies[row]).collect();
    let inverse = vec![1.0 / temperature; active.len()];
    let mut d_hidden = free.floats.take_zeroed(active.len() * sizes.hidden);
    head_backward(
        pool,
        Rows { data: &hidden, rows: active.len(), stride },
        weights.matrix(weights.layout.head()),
        &inverse,
        &Queries { offsets: &offsets, targets: &targets },
        &of_rows,
        &HeadGradients { logprobs: &d_asked, entropies: &active_entropies },
        &mut d_hidden,
        gradients.tensor(weights.layout.head()),
        free,
    );
    let norm = weights.vector(weights.layout.final_norm());
    let mut x = free.floats.take(active.len() * sizes.hidden);
    for (&row, to) in active.iter().zip(x.chunks_exact_mut(sizes.hidden)) {
        let at = head.rows[row] as usize * sizes.hidden;
        to.copy_from_slice(&last[at..at + sizes.hidden]);
    }
    if given.values.is_some() {
        let value = weights.vector(weights.layout.value());
        let mut normed = vec![0.0; sizes.hidden];
        for (index, &row) in active.iter().enumerate() {
            let range = index * sizes.hidden..(index + 1) * sizes.hidden;
            rms_norm_row(&x[range.clone()], norm, sizes.eps, &mut normed);
            add_scaled(&mut d_hidden[range], value, d_values[row]);
            if let Some(gradient) = gradients.value_head() {
                add_scaled(gradient, &normed, d_values[row]);
            }
        }
    }
    let mut d_x = free.floats.take_zeroed(active.len() * sizes.hidden);
    rms_norm_backward(pool, &x, norm, sizes.eps, &d_hidden, &mut d_x, gradients.tensor(weights.layout.final_norm()));
    let mut d = free.floats.take_zeroed(last.len());
    for (&row, from) in active.iter().zip(d_x.chunks_exact(sizes.hidden)) {
        let at = head.rows[row] as usize * sizes.hidden;
        d[at..at + sizes.hidden].copy_from_slice(from);
    }
    for buffer in [d_hidden, x, d_x] {
        free.floats.give(buffer);
    }
    d
}
