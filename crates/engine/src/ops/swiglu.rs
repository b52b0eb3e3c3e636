//! SwiGLU: `silu(gate) * up` (Shazeer, 2020). A row holds the gates, then the ups.

use super::{convert_row, for_rows, widen_row};
use crate::element::Element;
use crate::isa::by_isa;
use crate::ops::math::sigmoid;
use crate::pool::{Parts, Pool};

by_isa! {
    fn forward_row(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid::<FMA>(*gate) * up;
        }
    }
}

by_isa! {
    fn backward_row(gate: &[f32], up: &[f32], d: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
        let length = gate.len();
        let (up, d, d_gate, d_up) = (&up[..length], &d[..length], &mut d_gate[..length], &mut d_up[..length]);
        for i in 0..length {
            let s = sigmoid::<FMA>(gate[i]);
            d_up[i] = d[i] * gate[i] * s;
            d_gate[i] = d[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
        }
    }
}

/// From gates and ups [rows, 2 * width], already rounded to E, to activations in rows `stride` apart.
pub fn swiglu<E: Element>(pool: &Pool, gate_up: &[E], width: usize, out: &mut [E], stride: usize) {
    let rows = gate_up.len() / (2 * width);
    let parts = Parts::new(out);
    for_rows(pool, rows, width, 3 * width, &|row, scratch| {
        let (inputs, activation) = scratch.split_at_mut(2 * width);
        widen_row(&gate_up[row * 2 * width..(row + 1) * 2 * width], inputs);
        forward_row(&inputs[..width], &inputs[width..], activation);
        // SAFETY: each task has its own rows.
        convert_row(activation, unsafe { parts.get(row * stride, stride) });
    });
}

/// The gradient in gates and ups, rounded, [rows, 2 * width], from that of the activations, [rows, width].
pub fn swiglu_backward<E: Element>(pool: &Pool, gate_up: &[E], width: usize, d: &[f32], d_gate_up: &mut [E]) {
    let rows = gate_up.len() / (2 * width);
    let parts = Parts::new(d_gate_up);
    for_rows(pool, rows, width, 4 * width, &|row, scratch| {
        let (inputs, gradients) = scratch.split_at_mut(2 * width);
        widen_row(&gate_up[row * 2 * width..(row + 1) * 2 * width], inputs);
        let (d_gate, d_up) = gradients.split_at_mut(width);
        backward_row(&inputs[..width], &inputs[width..], &d[row * width..(row + 1) * width], d_gate, d_up);
        // SAFETY: each task has its own rows.
        convert_row(gradients, unsafe { parts.get(row * 2 * width, 2 * width) });
    });
}
