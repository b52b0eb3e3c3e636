//! What sampling has computed, kept for training: a forward pass over the same tokens by the same weights would give
//! the same bits.
//!
//! A row is a token after a beginning. Where a sequence's rows lie is found by its tokens, one after another from the
//! first, compared whole.

mod records;
mod said;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use records::Records;
pub use said::RowSaid;
use said::Said;

use crate::buffers::{Buffer, Buffers};
use crate::gemm::GemmElement;
use crate::model::forward::{LayerKept, Sizes};
use crate::model::linear::stride_of;
use crate::model::plan::Plan;
use crate::model::weights::Weights;
use crate::ops::attention::Mask;
use crate::pool::Pool;

/// A tape that the sampler writes and the trainer reads.
pub type SharedTape<E> = Arc<Mutex<Tape<E>>>;

/// The row of a tape before the first: what every sequence begins after.
const ROOT: u32 = u32::MAX;

/// Weights under which rows were computed: of the base, and of the adapter.
pub type TapeVersion = (u64, u64);

/// A row of a step and the row of the tape that it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapedRow {
    pub from: u32,
    pub to: u32,
}

/// How far a sequence's tokens were found on the tape.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    /// That of the tape when this was found.
    filling: u64,
    position: usize,
    row: u32,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { filling: 0, position: 0, row: ROOT }
    }
}

/// The activations of one version of the weights, in at most so many rows. A version whose rows do not fit is not kept
/// at all, for its micro-batches would find the ends of their sequences missing; nor is the one after it, unless the
/// sampler computed few enough rows meanwhile.
pub struct Tape<E> {
    version: TapeVersion,
    /// Changes whenever rows are let go of.
    filling: u64,
    /// Whether rows are taken.
    on: bool,
    /// Whether there is no room for this version's rows.
    full: bool,
    /// Rows that the sampler computed of this version while the tape was on.
    seen: usize,
    /// Most rows.
    limit: usize,
    /// The row of each token after the row before it.
    next: HashMap<(u32, u32), u32>,
    records: Records<E>,
    /// What the head said of rows.
    said: HashMap<u32, Said>,
    /// Whether rows were given out that may not have been written, since a step failed.
    unwritten: bool,
    /// Whether a backward pass is still to read rows.
    awaited: bool,
}

impl<E: GemmElement> Tape<E> {
    /// `bytes` bounds the memory.
    pub fn new(weights: &Weights<E>, bytes: usize, version: TapeVersion) -> Self {
        let (config, sizes) = (&weights.layout.config, Sizes::of(weights));
        let attended = stride_of::<E>(sizes.query_width());
        let records = Records::new(sizes, config.qk_norm, attended, config.num_layers, bytes);
        Self {
            version,
            filling: 1,
            on: false,
            full: false,
            seen: 0,
            limit: records.most().min(ROOT as usize),
            next: HashMap::new(),
            records,
            said: HashMap::new(),
            unwritten: false,
            awaited: false,
        }
    }

    /// Memory held.
    pub fn bytes(&self) -> usize {
        self.records.bytes()
    }

    pub fn rows(&self) -> usize {
        self.next.len()
    }

    /// Whether there is room for rows, and none was taken yet.
    pub fn is_blank(&self) -> bool {
        self.rows() == 0 && !self.full
    }

    /// Whether to take what is sampled from now on.
    pub fn turn(&mut self, on: bool) {
        self.on = on;
        if on && !self.full {
            self.seen = self.next.len();
        }
    }

    /// Lets go of the rows, and goes on with other weights. The memory stays, unless this version's rows did not fit.
    pub fn renew(&mut self, version: TapeVersion) {
        self.clear();
        self.full &= self.seen > self.limit;
        if self.full {
            self.records.release();
        }
        (self.version, self.seen) = (version, 0);
    }

    fn clear(&mut self) {
        self.next.clear();
        self.said.clear();
        self.filling += 1;
        (self.unwritten, self.awaited) = (false, false);
    }

    /// Lets go of the rows and of the memory.
    pub fn release(&mut self) {
        self.clear();
        self.records.release();
    }

    /// Rows for a part of a sequence that a step computes, of which the first is `first_row` of the step. Those that
    /// are on the tape already, or whose beginning is not, need none. `cursor` follows the sequence.
    pub fn place(
        &mut self,
        version: TapeVersion,
        cursor: &mut Cursor,
        tokens: &[u32],
        start: usize,
        first_row: usize,
        placed: &mut Vec<TapedRow>,
    ) {
        if !self.on || version != self.version {
            return;
        }
        self.seen += tokens.len() - start;
        if self.full {
            return;
        }
        if self.unwritten && placed.is_empty() {
            if self.awaited {
                return;
            }
            self.clear();
        }
        if cursor.filling != self.filling || cursor.position > start {
            *cursor = Cursor { filling: self.filling, ..Cursor::default() };
        }
        while cursor.position < start {
            let Some(&row) = self.next.get(&(cursor.row, tokens[cursor.position])) else { return };
            (cursor.position, cursor.row) = (cursor.position + 1, row);
        }
        for (index, &token) in tokens[start..].iter().enumerate() {
            let (key, new) = ((cursor.row, token), self.next.len());
            let row = match self.next.get(&key) {
                Some(&row) => row,
                None if new == self.limit => return self.overflow(placed),
                None => {
                    let to = new as u32;
                    self.next.insert(key, to);
                    self.unwritten = true;
                    placed.push(TapedRow { from: (first_row + index) as u32, to });
                    to
                }
            };
            (cursor.position, cursor.row) = (cursor.position + 1, row);
        }
    }

    fn overflow(&mut self, placed: &mut Vec<TapedRow>) {
        self.full = true;
        placed.clear();
        if !self.awaited {
            self.release();
        }
    }

    /// Writes one layer of placed rows.
    pub fn write_layer(&mut self, pool: &Pool, layer: usize, kept: &LayerKept<E>, placed: &[TapedRow]) {
        self.records.write_layer(pool, layer, kept, placed);
    }

    /// Writes what comes out of the last layer, [rows of the step, hidden], which ends the writing of placed rows.
    pub fn write_last(&mut self, pool: &Pool, x: &[f32], placed: &[TapedRow]) {
        self.records.write_last(pool, x, placed);
        self.unwritten = false;
    }

    /// For each row of a plan that of the tape, if all are there. A backward pass is then awaited, until `read`.
    pub fn find(&mut self, version: TapeVersion, plan: &Plan) -> Option<Vec<u32>> {
        if version != self.version || self.unwritten || self.full {
            return None;
        }
        let mut rows = vec![ROOT; plan.tokens.len()];
        for (span, path) in plan.spans.iter().zip(&plan.path_rows) {
            if span.mask != Mask::Causal {
                return None;
            }
            let mut at = span.start.checked_sub(1).map_or(ROOT, |before| rows[path[before] as usize]);
            for row in span.first_row..span.first_row + span.rows {
                at = *self.next.get(&(at, plan.tokens[row]))?;
                rows[row] = at;
            }
        }
        self.awaited = true;
        Some(rows)
    }

    /// The rows that were found have been read.
    pub fn read(&mut self) {
        self.awaited = false;
    }

    /// One layer of some rows, in their order.
    pub fn layer(&self, pool: &Pool, layer: usize, rows: &[u32], free: &mut Buffers<E>) -> LayerKept<E> {
        self.records.layer(pool, layer, rows, free)
    }

    /// What came out of the last layer, [rows, hidden].
    pub fn last(&self, pool: &Pool, rows: &[u32], free: &mut Buffers<E>) -> Buffer<f32> {
        self.records.last(pool, rows, free)
    }
}

/// The tape for oneself, whatever became of who had it before.
pub fn lock<E>(tape: &Mutex<Tape<E>>) -> MutexGuard<'_, Tape<E>> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}
