//! The language-model head fused with its log-softmax: logits exist for a few rows and columns at a time, never as an
//! array of tokens x vocabulary.

use crate::buffers::{Buffers, panels};
use crate::gemm::{
    GemmElement, Output, PANEL, Panels, Rows, Task, Tile, gemm, lines_of_tile, pack_columns, repack_transposed,
    row_tile, row_tiles, run_tasks,
};
use crate::ops::chunk_sums::{ChunkSums, chunk_sums};
use crate::ops::for_rows;
use crate::ops::logit_gradient::RowGradient;
use crate::ops::outer::outer_product_packed;
use crate::pool::{Parts, Pool};

/// Vocabulary columns whose maximum and sum are taken together. Part of the definition of the result: sums run within a
/// chunk, then over chunks in order.
pub const CHUNK: usize = 512;

/// Elements between rows of a tile of logits: those of whole chunks would fall on a few places of the L1 cache.
const TILE_STRIDE: usize = CHUNK + 16;

/// Tiles of rows of a task of the backward pass, which share their room.
const TASK_TILES: usize = 8;

/// Vocabulary columns of a pass of the backward product.
pub const BACKWARD_COLUMNS: usize = 4 * CHUNK;

/// Elements between rows of the gradient in the logits of such a pass, chosen as `TILE_STRIDE` is.
const BACKWARD_STRIDE: usize = BACKWARD_COLUMNS + PANEL;

/// Which logits are asked of each row, as offsets into `targets`: those of row `i` are `offsets[i]..offsets[i + 1]`, each of them once.
pub struct Queries<'a> {
    pub offsets: &'a [usize],
    pub targets: &'a [u32],
}

/// What the head says of each row and query.
pub struct HeadOutputs {
    /// Logarithm of the softmax's denominator of the tempered logits, [rows].
    pub log_sums: Vec<f64>,
    /// Entropy of the tempered distribution in nats, [rows].
    pub entropies: Vec<f32>,
    /// Log-probability of each target under the tempered distribution, [queries].
    pub logprobs: Vec<f32>,
}

/// Log-softmax denominator and entropy from the sums of the chunks, in their order.
fn combine(chunks: impl Iterator<Item = ChunkSums> + Clone) -> (f64, f32) {
    let max = f64::from(chunks.clone().map(|chunk| chunk.max).fold(f32::NEG_INFINITY, f32::max));
    let (mut sum, mut weighted) = (0.0, 0.0);
    for chunk in chunks {
        let shift = f64::from(chunk.max) - max;
        let factor = shift.exp();
        sum += factor * f64::from(chunk.sum);
        weighted += factor * (f64::from(chunk.weighted) + shift * f64::from(chunk.sum));
    }
    (max + sum.ln(), (sum.ln() - weighted / sum) as f32)
}

/// Log-probability of one token from its logit: the one place where it is computed, for sampler and trainer.
pub fn logprob(logit: f32, inverse_temperature: f32, log_sum: f64) -> f32 {
    (f64::from(logit * inverse_temperature) - log_sum) as f32
}

/// Computes logits, those of a task's row tiles of `hidden` in the columns of its panels, and hands those of each row to `work`.
fn for_logits<E: GemmElement>(
    hidden: Rows<'_, E>,
    head: &Panels<E>,
    task: &Task,
    work: &mut dyn FnMut(usize, &mut [f32]),
) {
    let (head, panels) = (head.view(), task.units.clone());
    let columns = (head.columns - panels.start * PANEL).min(panels.len() * PANEL);
    let tiles_at_once = E::tiles_together().min(task.tiles.len());
    let mut logits = vec![0.0f32; tiles_at_once * E::tile_rows() * TILE_STRIDE];
    for group in task.groups::<E>() {
        let kernel = if task.begins_with(&group) { E::streaming_kernel() } else { E::filling_kernel() };
        let at_hand: Vec<Tile<'_, E>> = group.clone().map(|tile| row_tile(hidden, tile)).collect();
        let rows = at_hand[0].row..at_hand.last().map_or(0, |tile| tile.row + tile.height);
        for panel in panels.clone() {
            let (b, next) = (head.panel(panel), task.after(&group, panel).map(|next| head.panel(next)));
            for (index, tile) in at_hand.iter().enumerate() {
                let next = lines_of_tile(b, next, index, head.reduction);
                // SAFETY: the rows were checked, and there is room for whole panels of each.
                unsafe {
                    let to = (tile.row - rows.start) * TILE_STRIDE + (panel - panels.start) * PANEL;
                    let to = logits.as_mut_ptr().add(to);
                    tile.run(kernel, head.reduction, b, to, TILE_STRIDE, PANEL, std::ptr::null(), next);
                }
            }
        }
        for (row, logits) in rows.zip(logits.chunks_exact_mut(TILE_STRIDE)) {
            work(row, &mut logits[..columns]);
        }
    }
}

/// Where a chunk of the vocabulary begins, or the vocabulary ends.
fn first_panel<E: GemmElement>(head: &Panels<E>) -> impl Fn(usize) -> usize + Sync {
    let panels = head.columns.div_ceil(PANEL);
    move |chunk| (chunk * CHUNK / PANEL).min(panels)
}

/// Runs the head over normalised hidden states [rows, stride]. `inverse_temperatures`: [rows]. Where `logits` is given,
/// [rows, vocabulary], the logits before tempering are kept there: the sampler's few rows need them all.
pub fn head_forward<E: GemmElement>(
    pool: &Pool,
    hidden: Rows<'_, E>,
    head: &Panels<E>,
    inverse_temperatures: &[f32],
    queries: &Queries<'_>,
    logits: Option<&mut [f32]>,
) -> HeadOutputs {
    let (rows, vocabulary) = (hidden.rows, head.columns);
    check_hidden(hidden, head);
    let chunks = vocabulary.div_ceil(CHUNK);
    let mut sums = vec![ChunkSums::default(); chunks * rows];
    let mut asked = vec![0.0f32; queries.targets.len()];
    let (sum_parts, asked_parts, kept) = (Parts::new(&mut sums), Parts::new(&mut asked), logits.map(Parts::new));
    let tiles = row_tiles(hidden);
    run_tasks(pool, (tiles, tiles), chunks, &first_panel(head), &|task| {
        let first = task.units.start * PANEL;
        for_logits(hidden, head, task, &mut |row, values| {
            for query in queries.offsets[row]..queries.offsets[row + 1] {
                let target = queries.targets[query] as usize;
                if (first..first + values.len()).contains(&target) {
                    // SAFETY: a target lies in one chunk, so one task writes its entry.
                    unsafe { asked_parts.get(query, 1)[0] = values[target - first] };
                }
            }
            if let Some(kept) = kept {
                // SAFETY: each task has its own columns.
                unsafe { kept.get(row * vocabulary + first, values.len()) }.copy_from_slice(values);
            }
            // SAFETY: each task has its own chunk.
            unsafe { sum_parts.get(first / CHUNK * rows + row, 1)[0] = chunk_sums(values, inverse_temperatures[row]) };
        });
    });
    let mut outputs = HeadOutputs { log_sums: vec![0.0; rows], entropies: vec![0.0; rows], logprobs: asked };
    let (log_sums, entropies) = (Parts::new(&mut outputs.log_sums), Parts::new(&mut outputs.entropies));
    let logprobs = Parts::new(&mut outputs.logprobs);
    for_rows(pool, rows, chunks, 0, &|row, _| {
        let (log_sum, entropy) = combine((0..chunks).map(|chunk| sums[chunk * rows + row]));
        let (first, last) = (queries.offsets[row], queries.offsets[row + 1]);
        // SAFETY: each row has its own entries.
        unsafe {
            log_sums.get(row, 1)[0] = log_sum;
            entropies.get(row, 1)[0] = entropy;
            for value in logprobs.get(first, last - first) {
                *value = logprob(*value, inverse_temperatures[row], log_sum);
            }
        }
    });
    outputs
}

/// Panics unless all rows are there.
fn check_hidden<E: GemmElement>(hidden: Rows<'_, E>, head: &Panels<E>) {
    if hidden.rows > 0 {
        hidden.check(head.reduction);
    }
}

/// Gradients of the loss in what the head said.
pub struct HeadGradients<'a> {
    /// In each query's log-probability, [queries].
    pub logprobs: &'a [f32],
    /// In each row's entropy, [rows].
    pub entropies: &'a [f32],
}

/// Adds the gradient in the hidden states to `d_hidden` [rows, hidden] and in the head's weight to `d_head`
/// [vocabulary, hidden]. Logits are computed anew, 2048 columns at a time.
pub fn head_backward<E: GemmElement>(
    pool: &Pool,
    hidden: Rows<'_, E>,
    head: &Panels<E>,
    inverse_temperatures: &[f32],
    queries: &Queries<'_>,
    outputs: &HeadOutputs,
    gradients: &HeadGradients<'_>,
    d_hidden: &mut [f32],
    mut d_head: Option<&mut [f32]>,
    free: &mut Buffers<E>,
) {
    let (rows, width) = (hidden.rows, d_hidden.len() / hidden.rows.max(1));
    check_hidden(hidden, head);
    let mut down = panels(free, width, rows);
    if d_head.is_some() {
        pack_columns(pool, hidden.data, hidden.stride, rows, &mut down);
    }
    let mut d_logits = free.elements.take(rows * BACKWARD_STRIDE);
    let mut across = panels(free, width, BACKWARD_COLUMNS);
    let row_sums: Vec<f32> =
        (0..rows).map(|row| gradients.logprobs[queries.offsets[row]..queries.offsets[row + 1]].iter().sum()).collect();
    for first in (0..head.columns).step_by(BACKWARD_COLUMNS) {
        let part = head.slice(first / PANEL, BACKWARD_COLUMNS / PANEL);
        let parts = Parts::new(&mut d_logits);
        let (chunks, before) = (part.columns.div_ceil(CHUNK), first / CHUNK);
        let first_panel = first_panel(head);
        run_tasks(pool, (row_tiles(hidden), TASK_TILES), chunks, &|chunk| first_panel(before + chunk), &|task| {
            let column = task.units.start * PANEL;
            for_logits(hidden, head, task, &mut |row, values| {
                let columns = column..column + values.len();
                let gradient = RowGradient {
                    inverse_temperature: inverse_temperatures[row],
                    log_sum: outputs.log_sums[row] as f32,
                    d_logprobs: row_sums[row],
                    entropy: outputs.entropies[row],
                    d_entropy: gradients.entropies[row],
                };
                let asked = (queries.offsets[row]..queries.offsets[row + 1])
                    .map(|query| (queries.targets[query] as usize, gradients.logprobs[query]))
                    .filter(|(target, _)| columns.contains(target))
                    .map(|(target, d)| (target - column, gradient.of_target(values[target - column], d)));
                let of_targets: Vec<(usize, f32)> = asked.collect();
                // SAFETY: each task has its own rows and columns.
                let to = unsafe {
                    parts.get(row * BACKWARD_STRIDE + column - first, columns.len().next_multiple_of(E::GROUP))
                };
                gradient.run(values, to);
                of_targets.into_iter().for_each(|(at, gradient)| to[at] = E::from_f32(gradient));
            });
        });
        let d_rows = Rows { data: &d_logits, rows, stride: BACKWARD_STRIDE };
        across.reshape(width, part.columns);
        repack_transposed(pool, part, &mut across);
        gemm(pool, d_rows, across.view(), Output { data: d_hidden, stride: width, offset: 0 }, true);
        if let Some(d_head) = d_head.as_deref_mut() {
            let d_part = &mut d_head[first * width..(first + part.columns) * width];
            let columns = (BACKWARD_STRIDE, part.columns);
            outer_product_packed(pool, &d_logits, columns, down.view(), rows, d_part, free);
        }
    }
    free.elements.give(d_logits);
    for panels in [down, across] {
        free.elements.give(panels.data.into());
    }
}
