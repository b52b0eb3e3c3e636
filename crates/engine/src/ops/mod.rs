//! What a transformer does between its matrix products, row by row. Rows never depend on their batch.

mod ahead;
pub mod attention;
pub mod attention_backward;
mod attention_tile;
mod chunk_sums;
pub mod head;
pub mod head_tile;
mod logit_gradient;
pub mod math;
pub mod norm;
pub mod norm_both_ways;
pub mod outer;
mod page_slots;
pub mod pages;
pub mod rope;
mod softmax;
pub mod swiglu;
mod swiglu_tile;
#[cfg(target_arch = "x86_64")]
mod vectors;

use crate::convert::convert_row;
use crate::element::Element;
use crate::pool::{Parts, Pool};

/// Elements of one task of a pass over memory.
const STRIPE: usize = 16 << 10;

/// Rounds a matrix [rows, columns] into rows `stride` apart.
pub fn convert<E: Element>(pool: &Pool, from: &[f32], columns: usize, to: &mut [E], stride: usize) {
    let rows = from.len() / columns;
    let rows_of_task = (STRIPE / columns).max(1);
    let parts = Parts::new(to);
    pool.run(rows.div_ceil(rows_of_task), &|task| {
        for row in task * rows_of_task..((task + 1) * rows_of_task).min(rows) {
            // SAFETY: each task has its own rows.
            let to = unsafe { parts.get(row * stride, stride) };
            convert_row(&from[row * columns..(row + 1) * columns], to);
        }
    });
}

/// Calls `work` for each of `0..rows`, which are as many tasks as their length and the threads ask for, so none may sum over several, with `scratch` numbers whose contents are unspecified.
pub fn for_rows(pool: &Pool, rows: usize, columns: usize, scratch: usize, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let rows_of_task = (STRIPE / columns.max(1)).clamp(1, rows.div_ceil(pool.threads()).max(1));
    pool.run(rows.div_ceil(rows_of_task), &|task| {
        let mut scratch = vec![0.0; scratch];
        (task * rows_of_task..((task + 1) * rows_of_task).min(rows)).for_each(|row| work(row, &mut scratch));
    });
}
