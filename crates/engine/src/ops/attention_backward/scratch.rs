//! What the gradient along a path is computed in.

use std::ops::Range;

use crate::gemm::{GemmElement, PANEL};
use crate::memory::grow;
use crate::ops::pages::Heads;

/// Query rows of one block: a multiple of the 32 that AMX adds at a time, so that blocks change no order of summation. Its
/// weights over a few hundred keys stay in the L2 cache.
pub(super) const BLOCK: usize = 96;

/// Query rows whose scores are computed at a time: they stay in the L1 cache until they are rounded.
pub(super) const SCORED: usize = 32;

/// What the length of a reduction is padded to with zeros, which change no bit: AMX adds so many products at a time, and copies what
/// is less.
pub(super) fn whole<E: GemmElement>(length: usize) -> usize {
    length.next_multiple_of(if E::reads_panels() { E::GROUP } else { PANEL })
}

/// Kept from one path to the next. `columns` are the positions of a path, `padded` is head_dim, both to whole panels; what no
/// path has stays zero.
pub(super) struct Scratch<E> {
    /// The keys that each row of the span sees.
    pub seen: Vec<Range<usize>>,
    /// Keys or values of the path, [columns, padded].
    pub rows: Vec<E>,
    /// Panels whose columns are the positions, of [head_dim / GROUP][32][GROUP] each.
    pub keys_across: Vec<E>,
    pub values_across: Vec<E>,
    /// Panels whose columns are those of head_dim, of [columns / GROUP][32][GROUP] each.
    pub keys_down: Vec<E>,
    /// Queries and rounded gradients of outputs, [BLOCK, padded].
    pub queries: Vec<E>,
    pub d_outputs: Vec<E>,
    pub log_sums: [f32; BLOCK],
    /// Dot products of outputs and their gradients.
    pub deltas: [f32; BLOCK],
    /// [SCORED, columns].
    pub scores: Vec<f32>,
    pub d_weights: Vec<f32>,
    /// Rounded, [BLOCK, columns].
    pub weights: Vec<E>,
    pub d_scores: Vec<E>,
    /// Gradients of queries, [BLOCK, head_dim].
    pub d_queries: Vec<f32>,
    /// One panel, [BLOCK / GROUP][32][GROUP].
    pub panel: Vec<E>,
    /// Queries or gradients of outputs, transposed: [padded, BLOCK].
    pub turned: Vec<E>,
    /// Gradients of the path, transposed: [head_dim, columns].
    pub d_keys: Vec<f32>,
    pub d_values: Vec<f32>,
    /// Those of 32 positions, [32, head_dim].
    pub d_rows: Vec<f32>,
}

impl<E: GemmElement> Scratch<E> {
    pub fn new(heads: Heads) -> Self {
        let (padded, zero) = (heads.padded(), E::default());
        Self {
            seen: Vec::new(),
            rows: Vec::new(),
            keys_across: Vec::new(),
            values_across: Vec::new(),
            keys_down: Vec::new(),
            queries: vec![zero; BLOCK * padded],
            d_outputs: vec![zero; BLOCK * padded],
            log_sums: [0.0; BLOCK],
            deltas: [0.0; BLOCK],
            scores: Vec::new(),
            d_weights: Vec::new(),
            weights: Vec::new(),
            d_scores: Vec::new(),
            d_queries: vec![0.0; BLOCK * heads.dim],
            panel: vec![zero; BLOCK * PANEL],
            turned: vec![zero; BLOCK * padded],
            d_keys: Vec::new(),
            d_values: Vec::new(),
            d_rows: vec![0.0; PANEL * heads.dim],
        }
    }

    /// Makes room for a path of so many columns, with gradients of zero.
    pub fn begin(&mut self, heads: Heads, columns: usize) {
        let (dim, padded) = (heads.dim, heads.padded());
        grow(&mut self.rows, columns * padded);
        grow(&mut self.keys_across, columns * dim);
        grow(&mut self.values_across, columns * dim);
        grow(&mut self.keys_down, columns * padded);
        grow(&mut self.scores, SCORED * columns);
        grow(&mut self.d_weights, SCORED * columns);
        grow(&mut self.weights, BLOCK * columns);
        grow(&mut self.d_scores, BLOCK * columns);
        for gradient in [&mut self.d_keys, &mut self.d_values] {
            gradient.clear();
            gradient.resize(dim * columns, 0.0);
        }
    }
}
