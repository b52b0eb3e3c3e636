//! Blocks of 32 columns and 16 groups of the reduction, from rows to a panel and back.

use super::PANEL;
use crate::element::Element;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Groups of the reduction in a block.
pub const GROUPS: usize = 16;

/// Elements of a block at most.
pub const BLOCK: usize = PANEL * GROUPS * 2;

/// Whether blocks are turned by vectors, so that it pays to go by blocks.
pub fn is_fast() -> bool {
    Isa::Avx512.available()
}

/// From 32 rows of 16 groups, `stride` elements apart, to `panel` [16, 32] of groups.
pub fn rows_to_panel<E: Element>(rows: &[E], stride: usize, panel: &mut [E]) {
    const { assert!(E::GROUP * size_of::<E>() == size_of::<u32>()) };
    assert!(rows.len() >= (PANEL - 1) * stride + GROUPS * E::GROUP && panel.len() >= PANEL * GROUPS * E::GROUP);
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        let (from, to) = (rows.as_ptr(), panel.as_mut_ptr().cast::<i32>());
        for half in [0, GROUPS] {
            // SAFETY: both hold the half by the assertion, and the machine has AVX-512.
            unsafe { transpose_16(from.add(half * stride).cast(), stride / E::GROUP, to.add(half), PANEL) };
        }
        return;
    }
    for (group, to) in panel.chunks_exact_mut(PANEL * E::GROUP).enumerate().take(GROUPS) {
        for (row, to) in to.chunks_exact_mut(E::GROUP).enumerate() {
            to.copy_from_slice(&rows[row * stride + group * E::GROUP..][..E::GROUP]);
        }
    }
}

/// From `panel` [16, 32] of groups to 32 rows of 16 groups, `stride` elements apart.
pub fn panel_to_rows<E: Element>(panel: &[E], rows: &mut [E], stride: usize) {
    const { assert!(E::GROUP * size_of::<E>() == size_of::<u32>()) };
    assert!(rows.len() >= (PANEL - 1) * stride + GROUPS * E::GROUP && panel.len() >= PANEL * GROUPS * E::GROUP);
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        let (from, to) = (panel.as_ptr().cast::<i32>(), rows.as_mut_ptr());
        for half in [0, GROUPS] {
            // SAFETY: both hold the half by the assertion, and the machine has AVX-512.
            unsafe { transpose_16(from.add(half), PANEL, to.add(half * stride).cast(), stride / E::GROUP) };
        }
        return;
    }
    for (group, from) in panel.chunks_exact(PANEL * E::GROUP).enumerate().take(GROUPS) {
        for (row, from) in from.chunks_exact(E::GROUP).enumerate() {
            rows[row * stride + group * E::GROUP..][..E::GROUP].copy_from_slice(from);
        }
    }
}

#[cfg(target_arch = "x86_64")]
/// Turns 16 rows of 16 four-byte numbers, `from_stride` apart, into 16 columns, `to_stride` apart.
///
/// # Safety
/// Both hold the block; the machine has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn transpose_16(from: *const i32, from_stride: usize, to: *mut i32, to_stride: usize) {
    let mut rows = [_mm512_setzero_si512(); 16];
    for (index, row) in rows.iter_mut().enumerate() {
        // SAFETY: by this function's contract.
        *row = unsafe { _mm512_loadu_si512(from.add(index * from_stride).cast()) };
    }
    // Within 128-bit lanes: pairs of rows, then fours.
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    let mut fours = pairs;
    for i in 0..4 {
        fours[4 * i] = _mm512_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
        fours[4 * i + 1] = _mm512_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
        fours[4 * i + 2] = _mm512_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
        fours[4 * i + 3] = _mm512_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
    }
    // `fours[4 i + j]` holds, in lane l, column 4 l + j of rows 4 i to 4 i + 3; now the lanes change places with i.
    for j in 0..4 {
        let [first, second, third, fourth] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let low = _mm512_shuffle_i32x4::<0b10_00_10_00>(first, second);
        let high = _mm512_shuffle_i32x4::<0b10_00_10_00>(third, fourth);
        let odd_low = _mm512_shuffle_i32x4::<0b11_01_11_01>(first, second);
        let odd_high = _mm512_shuffle_i32x4::<0b11_01_11_01>(third, fourth);
        let columns = [
            _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high),
            _mm512_shuffle_i32x4::<0b10_00_10_00>(odd_low, odd_high),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(odd_low, odd_high),
        ];
        for (lane, column) in columns.into_iter().enumerate() {
            // SAFETY: by this function's contract.
            unsafe { _mm512_storeu_si512(to.add((4 * lane + j) * to_stride).cast(), column) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;

    fn there_and_back<E: Element>() {
        for stride in [GROUPS * E::GROUP, 5 * GROUPS * E::GROUP + E::GROUP] {
            let rows: Vec<E> = (0..PANEL * stride).map(|index| E::from_f32((index % 251) as f32)).collect();
            let mut panel = vec![E::default(); PANEL * GROUPS * E::GROUP];
            rows_to_panel(&rows, stride, &mut panel);
            for group in 0..GROUPS {
                for row in 0..PANEL {
                    let at = (group * PANEL + row) * E::GROUP;
                    assert_eq!(panel[at..at + E::GROUP], rows[row * stride + group * E::GROUP..][..E::GROUP]);
                }
            }
            let mut again = vec![E::from_f32(300.0); PANEL * stride];
            panel_to_rows(&panel, &mut again, stride);
            for (row, again) in rows.chunks_exact(stride).zip(again.chunks_exact(stride)) {
                let whole = GROUPS * E::GROUP;
                assert_eq!(row[..whole], again[..whole]);
                assert!(again[whole..].iter().all(|&value| value == E::from_f32(300.0)));
            }
        }
    }

    #[test]
    fn a_block_goes_to_a_panel_and_comes_back_and_nothing_beside_it_changes() {
        there_and_back::<f32>();
        there_and_back::<Bf16>();
    }
}
