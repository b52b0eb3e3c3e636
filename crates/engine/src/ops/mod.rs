//! What a transformer does between its matrix products, row by row. Rows never depend on their batch.

mod ahead;
pub mod attention;
pub mod attention_backward;
mod attention_tile;
mod chunk_sums;
pub mod head;
pub mod math;
pub mod norm;
pub mod outer;
mod page_slots;
pub mod pages;
pub mod rope;
mod softmax;
pub mod swiglu;
mod swiglu_tile;
#[cfg(target_arch = "x86_64")]
mod vectors;

use std::any::TypeId;

use crate::element::Element;
use crate::isa::by_isa;
use crate::pool::{Parts, Pool};

/// Elements of one task of a pass over memory.
const STRIPE: usize = 16 << 10;

by_isa! {
    fn round_bf16(from: &[f32], to: &mut [crate::element::Bf16]) {
        let _ = FMA;
        for (to, from) in to.iter_mut().zip(from) {
            *to = crate::element::Bf16::from_f32(*from);
        }
    }
}

by_isa! {
    fn widen_bf16(from: &[crate::element::Bf16], to: &mut [f32]) {
        let _ = FMA;
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.to_f32();
        }
    }
}

/// One row as f32.
pub fn widen_row<E: Element>(from: &[E], to: &mut [f32]) {
    if TypeId::of::<E>() == TypeId::of::<crate::element::Bf16>() {
        // SAFETY: the types are the same.
        widen_bf16(unsafe { std::slice::from_raw_parts(from.as_ptr().cast(), from.len()) }, to);
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f32();
    }
}

/// From one element type to another.
pub fn convert_elements<S: Element, E: Element>(from: &[S], to: &mut [E]) {
    if let (Some(from), Some(to)) = (as_slice::<S, f32>(from), as_bf16(to)) {
        return round_bf16(from, to);
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = E::from_f32(from.to_f32());
    }
}

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

/// Rounds one row; what `to` has beyond it becomes zero.
pub fn convert_row<E: Element>(from: &[f32], to: &mut [E]) {
    let (values, padding) = to.split_at_mut(from.len());
    if let Some(values) = as_bf16(values) {
        round_bf16(from, values);
    } else {
        for (to, from) in values.iter_mut().zip(from) {
            *to = E::from_f32(*from);
        }
    }
    padding.fill(E::default());
}

/// The same elements, where they are of type T.
fn as_slice<E: Element, T: Element>(values: &[E]) -> Option<&[T]> {
    // SAFETY: the types are the same.
    (TypeId::of::<E>() == TypeId::of::<T>())
        .then(|| unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) })
}

fn as_bf16<E: Element>(values: &mut [E]) -> Option<&mut [crate::element::Bf16]> {
    if TypeId::of::<E>() != TypeId::of::<crate::element::Bf16>() {
        return None;
    }
    // SAFETY: the types are the same.
    Some(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) })
}

/// Calls `work` for each of `0..rows`, several rows a task when rows are short, with `scratch` numbers whose contents are unspecified.
pub fn for_rows(pool: &Pool, rows: usize, columns: usize, scratch: usize, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    let rows_of_task = (STRIPE / columns.max(1)).clamp(1, rows.div_ceil(pool.threads()).max(1));
    pool.run(rows.div_ceil(rows_of_task), &|task| {
        let mut scratch = vec![0.0; scratch];
        (task * rows_of_task..((task + 1) * rows_of_task).min(rows)).for_each(|row| work(row, &mut scratch));
    });
}
