//! Blocks of rows turned into columns whose elements follow each other, as kernels want them that read A by rows.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::transpose::{TURNED, transpose_groups};
use super::{GemmElement, PANEL};
use crate::element::{Bf16, MAX_GROUP};
#[cfg(target_arch = "x86_64")]
use crate::isa::{Isa, isa};

/// `GemmElement::turn` of any element: whole groups first, which then change places.
pub fn turn_by_groups<E: GemmElement>(rows: &[E], stride: usize, out: &mut [E], out_stride: usize) {
    let mut panel = [E::default(); PANEL * TURNED * MAX_GROUP];
    E::interleave(rows, stride, &mut panel[..PANEL * TURNED * E::GROUP]);
    transpose_groups(&panel, PANEL * E::GROUP, TURNED, PANEL, out, out_stride);
}

/// `GemmElement::turn` of bf16: 32 rows of 32 columns.
pub fn turn_bf16(rows: &[Bf16], stride: usize, out: &mut [Bf16], out_stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if matches!(isa(), Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512) {
        assert!(rows.len() >= 31 * stride + PANEL && out.len() >= 31 * out_stride + PANEL, "too little to turn");
        // SAFETY: both hold 32 rows of 32; the path is chosen only on a machine with these features.
        return unsafe { turn_32(rows.as_ptr().cast(), stride, out.as_mut_ptr().cast(), out_stride) };
    }
    turn_by_groups(rows, stride, out, out_stride);
}

/// Turns 32 rows of 32 two-byte numbers. What shuffles would do across lanes of 128 bits, loads do: a register takes
/// the same eight columns of four rows eight apart, one in each lane, and eight registers are turned within their
/// lanes.
///
/// # Safety
/// Both hold the rows; the machine has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn turn_32(from: *const u16, from_stride: usize, to: *mut u16, to_stride: usize) {
    #[repr(align(64))]
    struct Block([u16; PANEL * PANEL]);
    // Rows of a wide matrix fall on the same few places of the L1 cache, which would lose them between their parts.
    let mut block = Block([0; PANEL * PANEL]);
    for row in 0..PANEL {
        // SAFETY: by this function's contract.
        unsafe {
            let values = _mm512_loadu_si512(from.add(row * from_stride).cast());
            _mm512_store_si512(block.0.as_mut_ptr().add(row * PANEL).cast(), values);
        }
    }
    for first in (0..PANEL).step_by(8) {
        let eight = |row: usize| {
            // SAFETY: eight columns of a row of the block.
            unsafe { _mm_load_si128(block.0.as_ptr().add(row * PANEL + first).cast()) }
        };
        let mut rows = [_mm512_setzero_si512(); 8];
        for (row, lanes) in rows.iter_mut().enumerate() {
            *lanes = _mm512_castsi128_si512(eight(row));
            *lanes = _mm512_mask_broadcast_i32x4(*lanes, 0x00f0, eight(row + 8));
            *lanes = _mm512_mask_broadcast_i32x4(*lanes, 0x0f00, eight(row + 16));
            *lanes = _mm512_mask_broadcast_i32x4(*lanes, 0xf000, eight(row + 24));
        }
        // Pairs of rows, their first four columns and their last four; then fours of rows, then all eight.
        let mut pairs = [[_mm512_setzero_si512(); 4]; 2];
        for pair in 0..4 {
            pairs[0][pair] = _mm512_unpacklo_epi16(rows[2 * pair], rows[2 * pair + 1]);
            pairs[1][pair] = _mm512_unpackhi_epi16(rows[2 * pair], rows[2 * pair + 1]);
        }
        for (half, pairs) in pairs.into_iter().enumerate() {
            let low = [_mm512_unpacklo_epi32(pairs[0], pairs[1]), _mm512_unpacklo_epi32(pairs[2], pairs[3])];
            let high = [_mm512_unpackhi_epi32(pairs[0], pairs[1]), _mm512_unpackhi_epi32(pairs[2], pairs[3])];
            let columns = [
                _mm512_unpacklo_epi64(low[0], low[1]),
                _mm512_unpackhi_epi64(low[0], low[1]),
                _mm512_unpacklo_epi64(high[0], high[1]),
                _mm512_unpackhi_epi64(high[0], high[1]),
            ];
            for (column, values) in columns.into_iter().enumerate() {
                // SAFETY: by this function's contract.
                unsafe { _mm512_storeu_si512(to.add((first + 4 * half + column) * to_stride).cast(), values) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns<E: GemmElement>() {
        let height = TURNED * E::GROUP;
        for (stride, out_stride) in [(PANEL, height), (PANEL + 5, height + E::GROUP), (576, 512)] {
            let rows: Vec<E> = (0..height * stride).map(|i| E::from_f32((i % 251) as f32)).collect();
            let mut out = vec![E::from_f32(-1.0); PANEL * out_stride];
            let mut expected = out.clone();
            for (column, to) in expected.chunks_exact_mut(out_stride).enumerate() {
                for (row, to) in to.iter_mut().enumerate().take(height) {
                    *to = rows[row * stride + column];
                }
            }
            E::turn(&rows, stride, &mut out, out_stride);
            assert!(out == expected, "{} of {stride} to {out_stride}", E::NAME);
        }
    }

    #[test]
    fn every_element_goes_to_its_row_and_none_beside() {
        turns::<f32>();
        turns::<Bf16>();
    }
}
