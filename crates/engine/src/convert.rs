//! From one element type to another.

use std::any::TypeId;

use crate::element::{Bf16, Element};
use crate::isa::by_isa;

by_isa! {
    fn round_bf16(from: &[f32], to: &mut [Bf16]) {
        let _ = FMA;
        for (to, from) in to.iter_mut().zip(from) {
            *to = Bf16::from_f32(*from);
        }
    }
}

by_isa! {
    fn widen_bf16(from: &[Bf16], to: &mut [f32]) {
        let _ = FMA;
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.to_f32();
        }
    }
}

/// One row as f32.
pub fn widen_row<E: Element>(from: &[E], to: &mut [f32]) {
    if let Some(from) = as_slice(from) {
        return widen_bf16(from, to);
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

/// Rounds one row; what `to` has beyond it becomes zero.
pub fn convert_row<E: Element>(from: &[f32], to: &mut [E]) {
    let (values, padding) = to.split_at_mut(from.len());
    convert_elements(from, values);
    padding.fill(E::default());
}

/// The same elements, where they are of type T.
fn as_slice<E: Element, T: Element>(values: &[E]) -> Option<&[T]> {
    // SAFETY: the types are the same.
    (TypeId::of::<E>() == TypeId::of::<T>())
        .then(|| unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) })
}

fn as_bf16<E: Element>(values: &mut [E]) -> Option<&mut [Bf16]> {
    if TypeId::of::<E>() != TypeId::of::<Bf16>() {
        return None;
    }
    // SAFETY: the types are the same.
    Some(unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) })
}
