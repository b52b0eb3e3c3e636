//! One tile: a few rows of A with one panel of B.

use super::beside::Steps;
use super::crowded::{are_crowded, spread};
use super::{GemmElement, Kernel, MAX_TILE_ROWS, PANEL, Rows, TILE_ROWS};

/// Rows of A that one kernel call takes.
pub(crate) struct Tile<'a, E> {
    pub row: usize,
    pub height: usize,
    pub data: &'a [E],
    pub stride: usize,
    pub(super) group_stride: usize,
}

impl<'a, E: GemmElement> Tile<'a, E> {
    /// So much of its reduction from `start` on; where rows of A are crowded, and there is `room`, a copy in which they are not.
    pub(super) fn part<'b>(self, start: usize, length: usize, room: Option<&'b mut Vec<E>>) -> Tile<'b, E>
    where
        'a: 'b,
    {
        let data = &self.data[start / E::GROUP * self.group_stride..];
        match room {
            Some(room) if self.group_stride == E::GROUP && are_crowded::<E>(self.stride) => {
                let (data, stride) = spread(data, self.stride, self.height, length, room);
                Tile { data, stride, ..self }
            }
            _ => Tile { data, ..self },
        }
    }

    /// The tile's part of `C = A B` in one panel; see `run_tile_strided`.
    ///
    /// # Safety
    /// As `run_tile_strided`.
    #[inline(always)]
    pub(crate) unsafe fn run(
        &self,
        kernel: Kernel<E>,
        reduction: usize,
        panel: &[E],
        c: *mut f32,
        ldc: usize,
        width: usize,
        from: *const f32,
        next: *const E,
    ) {
        let strides = (self.stride, self.group_stride);
        // SAFETY: by this function's contract.
        unsafe {
            run_tile_strided(kernel, self.height, reduction, self.data, strides, panel, c, ldc, width, from, next)
        }
    }
}

/// How many tiles the rows of A are.
pub(crate) fn row_tiles<E: GemmElement>(a: Rows<'_, E>) -> usize {
    a.rows.div_ceil(E::tile_rows())
}

/// Tiles of equal height: where 14 rows are a tile, 32 run as 11, 11, 10 and not as 14, 14, 4. Those of AMX are as high as they can be:
/// what a height costs to set up is paid twice, and a tile that is not full takes as long as a full one.
pub(crate) fn row_tile<E: GemmElement>(a: Rows<'_, E>, tile: usize) -> Tile<'_, E> {
    let high = E::tile_rows() > TILE_ROWS;
    let start = |tile: usize| if high { (tile * E::tile_rows()).min(a.rows) } else { tile * a.rows / row_tiles(a) };
    let row = start(tile);
    Tile {
        row,
        height: start(tile + 1) - row,
        data: &a.data[row * a.stride..],
        stride: a.stride,
        group_stride: E::GROUP,
    }
}

/// One tile of row-major A.
///
/// # Safety
/// As `run_tile_strided`.
#[inline(always)]
pub unsafe fn run_tile<E: GemmElement>(
    kernel: Kernel<E>,
    rows: usize,
    reduction: usize,
    a: &[E],
    lda: usize,
    b: &[E],
    c: *mut f32,
    ldc: usize,
    width: usize,
    accumulate: bool,
) {
    let from = if accumulate { c.cast_const() } else { std::ptr::null() };
    // SAFETY: by this function's contract.
    unsafe { run_tile_strided(kernel, rows, reduction, a, (lda, E::GROUP), b, c, ldc, width, from, b.as_ptr()) }
}

/// One tile of whole panels, from zero, after all of `work`.
///
/// # Safety
/// As `GemmElement::run_beside`.
#[inline(always)]
pub(super) unsafe fn run_after<E: GemmElement, W: Steps>(
    kernel: Kernel<E>,
    rows: usize,
    reduction: usize,
    (a, lda): (&[E], usize),
    b: &[E],
    c: *mut f32,
    next: *const E,
    work: &mut W,
) {
    while work.step() {}
    let (strides, from) = ((lda, E::GROUP), std::ptr::null());
    // SAFETY: by this function's contract.
    unsafe { run_tile_strided(kernel, rows, reduction, a, strides, b, c, PANEL, PANEL, from, next) };
}

/// One tile; a panel with fewer than 32 columns goes through a buffer, so that nothing beside C is written. `strides`: from
/// one row of A to the next, and from one of its groups to the next. `next`: see `Kernel`.
///
/// # Safety
/// A, the panel, C and `from` hold the tile, and no other thread uses that part of C.
#[inline(always)]
unsafe fn run_tile_strided<E: GemmElement>(
    kernel: Kernel<E>,
    rows: usize,
    reduction: usize,
    a: &[E],
    (lda, group_stride): (usize, usize),
    b: &[E],
    c: *mut f32,
    ldc: usize,
    width: usize,
    from: *const f32,
    next: *const E,
) {
    let groups = reduction / E::GROUP;
    debug_assert!(rows <= E::tile_rows() && b.len() >= reduction * PANEL);
    debug_assert!(groups == 0 || a.len() >= (rows - 1) * lda + (groups - 1) * group_stride + E::GROUP);
    if width == PANEL {
        // SAFETY: by this function's contract.
        unsafe { kernel(rows, groups, a.as_ptr(), lda, group_stride, b.as_ptr(), c, ldc, from, next) };
        return;
    }
    let mut buffer = [0.0f32; MAX_TILE_ROWS * PANEL];
    // SAFETY: by this function's contract; the buffer holds the largest tile.
    unsafe {
        let buffer_from = if from.is_null() { from } else { buffer.as_ptr() };
        if !from.is_null() {
            for row in 0..rows {
                std::ptr::copy_nonoverlapping(from.add(row * ldc), buffer.as_mut_ptr().add(row * PANEL), width);
            }
        }
        let sums = buffer.as_mut_ptr();
        kernel(rows, groups, a.as_ptr(), lda, group_stride, b.as_ptr(), sums, PANEL, buffer_from, next);
        for row in 0..rows {
            std::ptr::copy_nonoverlapping(buffer.as_ptr().add(row * PANEL), c.add(row * ldc), width);
        }
    }
}
