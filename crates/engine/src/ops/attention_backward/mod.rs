//! The gradient of attention, with the softmax's weights recomputed from their logarithmic sums (Dao et al., 2022).

mod multiply;
mod output;
mod path;
mod rows;
mod scratch;
mod shared;
mod target;

pub use output::{OutputGradient, output_gradient_product, round_output_gradients};

use std::sync::Mutex;

use crate::element::Element;
use crate::gemm::GemmElement;
use crate::ops::attention::Span;
use crate::ops::pages::Heads;
use crate::ops::rope::RopeTable;
use crate::pool::{Parts, Pool};
use scratch::Scratch;
use shared::{Shared, groups};
use target::Target;

/// What the forward pass kept: queries and logarithmic sums by row and head; keys and values by row and kv head.
pub struct AttentionBackward<'a, E> {
    pub heads: Heads,
    pub window: Option<usize>,
    pub spans: &'a [Span],
    /// For each span, the row of every position from 0 to its end.
    pub path_rows: &'a [Vec<u32>],
    pub rope: &'a RopeTable,
    pub queries: &'a [E],
    pub keys: &'a [E],
    pub values: &'a [E],
    pub log_sums: &'a [f32],
}

impl<E: GemmElement> AttentionBackward<'_, E> {
    /// Writes the gradients of queries, keys and values, before their rotation, side by side: [rows, (heads + 2
    /// kv_heads) * head_dim], rounded once where T is not f32. Every row is on a path.
    pub fn run<T: Element>(&self, pool: &Pool, d_out: OutputGradient<'_, E>, d_qkv: &mut [T]) {
        let Heads { heads, kv_heads, dim } = self.heads;
        let rows = d_qkv.len() / ((heads + 2 * kv_heads) * dim);
        assert!(d_out.rounded.len() == rows * heads * dim && d_out.deltas.len() == rows * heads, "rows are missing");
        for (span, path) in self.spans.iter().zip(self.path_rows) {
            assert!(span.first_row + span.rows <= rows && span.end() <= path.len(), "a span's rows are missing");
        }
        let target = Target::new(self.heads, self.rope, d_qkv);
        let shared = Shared::new(self.heads, self.path_rows, rows);
        let mut totals = shared.totals();
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
                // SAFETY: each task has its own heads of the span's rows and of those that its path alone sees, and its
                // own part of what is kept.
                unsafe {
                    shared.prefetch(path, head, &target);
                    self.path(path, head, d_out, &target, &mut scratch);
                    let kept = kept_parts.get(starts[index] + head * length, length);
                    shared.take(path, head, &mut scratch, &target, kept);
                }
                free.lock().expect("scratch").push(scratch);
            });
            shared.add(pool, group, &starts, &kept, &mut totals);
        }
        shared.put(pool, &totals, &target);
    }
}

#[cfg(test)]
mod tests;
