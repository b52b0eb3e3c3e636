//! Heads of a tile: queries, keys or values of one row whose sums are at hand get their bias and their rotation, and
//! are rounded.

use crate::convert::convert_row;
use crate::element::Element;
use crate::ops::pages::{MAX_HEAD, head_of_tile};
use crate::ops::rope::{Angles, rotate};

/// From row `index` of the sums of a head, [panels, rows, 32], with its bias (empty: none) and where it is to be
/// rotated its angles, to the head in `out`, which is as long as the panels.
pub fn place_head<E: Element>(
    sums: &[f32],
    rows: usize,
    index: usize,
    bias: &[f32],
    angles: Option<Angles<'_>>,
    out: &mut [E],
) {
    #[cfg(target_arch = "x86_64")]
    if bias.is_empty() && registers::take::<E>(angles) {
        // SAFETY: E is bf16, which the machine rounds to.
        return unsafe { registers::place(sums, rows, index, angles, registers::of(out)) };
    }
    let mut head = [0.0f32; MAX_HEAD];
    let head = &mut head[..out.len()];
    head_of_tile(sums, rows, index, head);
    head.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
    if let Some(angles) = angles {
        rotate(head, angles.cos, angles.sin);
    }
    convert_row(head, out);
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::{Angles, MAX_HEAD};
    use crate::element::{Bf16, Element};
    use crate::gemm::PANEL;
    use crate::ops::vectors::{round_32, rounds};

    const LANES: usize = 16;

    /// Whether heads of E with these angles go through registers.
    pub fn take<E: Element>(angles: Option<Angles<'_>>) -> bool {
        rounds::<E>() && angles.is_none_or(|angles| angles.cos.len().is_multiple_of(LANES))
    }

    /// A head, which is of bf16 where `take` said so.
    pub fn of<E>(head: &mut [E]) -> &mut [Bf16] {
        assert!(size_of::<E>() == size_of::<Bf16>());
        // SAFETY: by this function's contract the types are the same.
        unsafe { std::slice::from_raw_parts_mut(head.as_mut_ptr().cast(), head.len()) }
    }

    /// As `place_head` without a bias.
    ///
    /// # Safety
    /// The machine rounds to bf16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn place(sums: &[f32], rows: usize, index: usize, angles: Option<Angles<'_>>, out: &mut [Bf16]) {
        assert!(index < rows && sums.len() >= out.len() * rows && out.len().is_multiple_of(PANEL), "no such row");
        let mut head = [_mm512_setzero_ps(); MAX_HEAD / LANES];
        let head = &mut head[..out.len() / LANES];
        for (at, lanes) in head.iter_mut().enumerate() {
            let column = at * LANES;
            let place = column / PANEL * rows * PANEL + index * PANEL + column % PANEL;
            // SAFETY: the sums hold the row by the assertion.
            *lanes = unsafe { _mm512_loadu_ps(sums.as_ptr().add(place)) };
        }
        if let Some(Angles { cos, sin }) = angles {
            let (low, high) = head.split_at_mut(cos.len() / LANES);
            let (cos, _) = cos.as_chunks::<LANES>();
            let (sin, _) = sin.as_chunks::<LANES>();
            for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                // SAFETY: the arrays are as long as a register.
                let (cos, sin) = unsafe { (_mm512_loadu_ps(cos.as_ptr()), _mm512_loadu_ps(sin.as_ptr())) };
                let (x, y) = (*low, *high);
                *low = _mm512_fmsub_ps(x, cos, _mm512_mul_ps(y, sin));
                *high = _mm512_fmadd_ps(y, cos, _mm512_mul_ps(x, sin));
            }
        }
        for (pair, to) in head.chunks_exact(2).zip(out.chunks_exact_mut(2 * LANES)) {
            // SAFETY: `to` holds 32 numbers of two bytes.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), round_32(pair[0], pair[1])) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::PANEL;
    use crate::ops::rope::RopeTable;

    fn as_step_by_step<E: Element>() {
        for (dim, rotated) in [(32, 32), (64, 64), (96, 32), (128, 128), (64, 24)] {
            let frequencies: Vec<f64> = (0..rotated / 2).map(|i| 1.0 / (1.0 + i as f64)).collect();
            let rope = RopeTable::new(&frequencies, 64);
            let rows = 5;
            let sums: Vec<f32> = (0..rows * dim).map(|i| (i * 7919 % 1013) as f32 / 100.0 - 5.0).collect();
            let some: Vec<f32> = (0..dim).map(|i| i as f32 * 0.01).collect();
            for (index, bias) in (0..rows).flat_map(|index| [(index, &[][..]), (index, &some[..])]) {
                for angles in [None, Some(rope.angles(7 * index))] {
                    let mut head: Vec<f32> = (0..dim)
                        .map(|at| sums[at / PANEL * rows * PANEL + index * PANEL + at % PANEL])
                        .enumerate()
                        .map(|(at, sum)| if bias.is_empty() { sum } else { sum + bias[at] })
                        .collect();
                    if angles.is_some() {
                        rope.rotate(&mut head, 7 * index);
                    }
                    let expected: Vec<E> = head.into_iter().map(E::from_f32).collect();
                    let mut out = vec![E::default(); dim];
                    place_head(&sums, rows, index, bias, angles, &mut out);
                    assert_eq!(out, expected, "head of {dim}, {rotated} rotated, row {index}");
                }
            }
        }
    }

    #[test]
    fn a_placed_head_has_the_bits_of_bias_rotation_and_rounding_one_after_another() {
        as_step_by_step::<f32>();
        as_step_by_step::<Bf16>();
    }
}
