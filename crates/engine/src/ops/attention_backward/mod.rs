//! The gradient of attention, with the softmax's weights recomputed from their logarithmic sums (Dao et al., 2022).

mod multiply;
mod path;
mod rows;
mod scratch;
mod shared;

use std::sync::Mutex;

use crate::gemm::GemmElement;
use crate::ops::attention::Span;
use crate::ops::pages::Heads;
use crate::pool::{Parts, Pool};
use scratch::Scratch;
use shared::{Shared, groups};

/// What the forward pass kept: queries, outputs and logarithmic sums by row and head; keys and values by row and kv head.
pub struct AttentionBackward<'a, E> {
    pub heads: Heads,
    pub window: Option<usize>,
    pub spans: &'a [Span],
    /// For each span, the row of every position from 0 to its end.
    pub path_rows: &'a [Vec<u32>],
    pub queries: &'a [E],
    pub keys: &'a [E],
    pub values: &'a [E],
    pub out: &'a [E],
    pub log_sums: &'a [f32],
}

impl<E: GemmElement> AttentionBackward<'_, E> {
    /// From the gradient of the output, [rows, heads * head_dim], those of queries (same shape), keys and values
    /// ([rows, kv_heads * head_dim]), before RoPE is undone. `d_keys` and `d_values` are added to.
    pub fn run(&self, pool: &Pool, d_out: &[f32], d_queries: &mut [f32], d_keys: &mut [f32], d_values: &mut [f32]) {
        let Heads { heads, kv_heads, dim } = self.heads;
        let rows = d_queries.len() / (heads * dim);
        for (span, path) in self.spans.iter().zip(self.path_rows) {
            assert!(span.first_row + span.rows <= rows && span.end() <= path.len(), "a span's rows are missing");
        }
        let d_queries = Parts::new(d_queries);
        let shared = Shared::new(self.heads, self.path_rows, d_keys.len() / (kv_heads * dim));
        let totals = [Parts::new(d_keys), Parts::new(d_values)];
        let free = Mutex::new(Vec::new());
        let mut kept = Vec::new();
        for group in groups(&shared.lengths(), rows, pool.threads()) {
            let starts = shared.starts(group.clone());
            kept.resize(starts[group.len()].max(kept.len()), 0.0);
            let kept_parts = Parts::new(&mut kept);
            pool.run(group.len() * kv_heads, &|task| {
                let (index, head) = (task / kv_heads, task % kv_heads);
                let mut scratch = free.lock().expect("scratch").pop().unwrap_or_else(|| Scratch::new(self.heads));
                let (path, length) = (group.start + index, (starts[index + 1] - starts[index]) / kv_heads);
                // SAFETY: each task has its own head of the rows that its path alone sees, and its own part of what is kept.
                unsafe {
                    shared.prefetch(path, head, totals);
                    self.path(path, head, d_out, d_queries, &mut scratch);
                    let kept = kept_parts.get(starts[index] + head * length, length);
                    shared.take(path, head, &mut scratch, totals, kept);
                }
                free.lock().expect("scratch").push(scratch);
            });
            shared.add(pool, group, &starts, &kept, totals);
        }
    }
}

#[cfg(test)]
mod tests;
