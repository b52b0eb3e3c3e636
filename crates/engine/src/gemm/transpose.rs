//! Rows and columns of a matrix of groups change places: that is how rows become panels of B whose columns they are, and how
//! panels become rows.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::element::Element;

/// Groups of the reduction along each side of the blocks that vectors turn, and that callers turn around at a time.
pub const TURNED: usize = 16;

/// From `[rows][groups]` groups to `[groups][rows]`. The strides count elements, those of whole groups.
pub fn transpose_groups<E: Element>(
    from: &[E],
    from_stride: usize,
    rows: usize,
    groups: usize,
    to: &mut [E],
    to_stride: usize,
) {
    if rows == 0 || groups == 0 {
        return;
    }
    let (row_length, column_length) = (groups * E::GROUP, rows * E::GROUP);
    assert!(from_stride >= row_length && from.len() >= (rows - 1) * from_stride + row_length, "too few rows");
    assert!(to_stride >= column_length && to.len() >= (groups - 1) * to_stride + column_length, "too little room");
    assert!(from_stride.is_multiple_of(E::GROUP) && to_stride.is_multiple_of(E::GROUP), "a stride cuts a group");
    let (block_rows, block_groups) = transpose_blocks(from, from_stride, rows, groups, to, to_stride);
    for row in 0..rows {
        let first = if row < block_rows { block_groups } else { 0 };
        for group in first..groups {
            let to_group = &mut to[group * to_stride + row * E::GROUP..][..E::GROUP];
            to_group.copy_from_slice(&from[row * from_stride + group * E::GROUP..][..E::GROUP]);
        }
    }
}

/// Turns what whole blocks there are, where vectors can; gives the rows and the groups of each that are done. The slices hold
/// what `transpose_groups` asserts.
#[cfg(target_arch = "x86_64")]
fn transpose_blocks<E: Element>(
    from: &[E],
    from_stride: usize,
    rows: usize,
    groups: usize,
    to: &mut [E],
    to_stride: usize,
) -> (usize, usize) {
    const { assert!(E::GROUP * size_of::<E>() == size_of::<i32>()) };
    if !crate::isa::Isa::Avx512.available() {
        return (0, 0);
    }
    let (from_stride, to_stride) = (from_stride / E::GROUP, to_stride / E::GROUP);
    let (block_rows, block_groups) = (rows / TURNED * TURNED, groups / TURNED * TURNED);
    for row in (0..block_rows).step_by(TURNED) {
        for group in (0..block_groups).step_by(TURNED) {
            // SAFETY: both hold the block by the assertions of the caller, in groups of four bytes; the machine has AVX-512.
            unsafe {
                let from = from.as_ptr().cast::<i32>().add(row * from_stride + group);
                let to = to.as_mut_ptr().cast::<i32>().add(group * to_stride + row);
                transpose_16(from, from_stride, to, to_stride);
            }
        }
    }
    (block_rows, block_groups)
}

#[cfg(not(target_arch = "x86_64"))]
fn transpose_blocks<E: Element>(_: &[E], _: usize, _: usize, _: usize, _: &mut [E], _: usize) -> (usize, usize) {
    (0, 0)
}

/// Turns 16 rows of 16 four-byte numbers, `from_stride` apart, into 16 columns, `to_stride` apart.
///
/// # Safety
/// Both hold the block; the machine has AVX-512.
#[cfg(target_arch = "x86_64")]
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

    fn turns<E: Element>() {
        for (rows, groups) in [(0, 3), (1, 1), (15, 17), (16, 16), (33, 47), (64, 32)] {
            let (from_stride, to_stride) = ((groups + 3) * E::GROUP, (rows + 1) * E::GROUP);
            let from: Vec<E> = (0..rows * from_stride).map(|index| E::from_f32(index as f32)).collect();
            let mut to = vec![E::from_f32(-1.0); groups * to_stride];
            transpose_groups(&from, from_stride, rows, groups, &mut to, to_stride);
            for (index, value) in to.iter().enumerate() {
                let (group, row, part) = (index / to_stride, index % to_stride / E::GROUP, index % E::GROUP);
                let there = row < rows;
                let want = if there { from[row * from_stride + group * E::GROUP + part] } else { E::from_f32(-1.0) };
                assert_eq!(*value, want, "{rows}x{groups} at {index}");
            }
        }
    }

    #[test]
    fn groups_change_places_and_nothing_beside_them_changes() {
        turns::<f32>();
        turns::<Bf16>();
    }
}
