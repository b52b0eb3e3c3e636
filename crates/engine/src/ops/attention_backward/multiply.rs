//! Products by one panel, of as many rows as a block or a head has.

use crate::gemm::{GemmElement, PANEL, run_tile};

/// `C = A B`, or `C += A B`, for one panel of B, in tiles of equal height.
///
/// # Safety
/// C holds `rows` rows, `ldc` apart, of `width` columns, which no other thread uses.
pub(super) unsafe fn multiply<E: GemmElement>(
    rows: usize,
    reduction: usize,
    a: &[E],
    lda: usize,
    panel: &[E],
    c: *mut f32,
    ldc: usize,
    width: usize,
    accumulate: bool,
) {
    assert!(a.len() >= (rows - 1) * lda + reduction && panel.len() >= reduction * PANEL);
    let (kernel, tiles) = (E::kernel(), rows.div_ceil(E::tile_rows()));
    let start = |tile: usize| tile * rows / tiles;
    for tile in 0..tiles {
        let (row, height) = (start(tile), start(tile + 1) - start(tile));
        // SAFETY: by the assertion and this function's contract.
        unsafe {
            let c = c.add(row * ldc);
            run_tile(kernel, height, reduction, &a[row * lda..], lda, panel, c, ldc, width, accumulate);
        }
    }
}
