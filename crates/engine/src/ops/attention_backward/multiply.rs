//! Products by one panel, of as many rows as a block or a head has.

use crate::gemm::{GemmElement, PANEL, run_tile};

/// Rows of a tile where a vector kernel takes it: those go through it by 4 or 6 rows, or by up to 14 at once.
const VECTOR_ROWS: usize = 12;

/// `C = A B`, or `C += A B`, for one panel of B.
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
    let (kernel, most) = (E::kernel(), E::tile_rows());
    let height = if most < PANEL { VECTOR_ROWS.min(most) } else { most };
    for row in (0..rows).step_by(height) {
        // SAFETY: by the assertion and this function's contract.
        unsafe {
            let (height, c) = (height.min(rows - row), c.add(row * ldc));
            run_tile(kernel, height, reduction, &a[row * lda..], lda, panel, c, ldc, width, accumulate);
        }
    }
}
