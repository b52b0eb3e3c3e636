//! Products whose sums are worked on while they are in the L1 cache, and are not kept.

use std::ops::Range;

use super::beside::{Idle, Steps};
use super::{GemmElement, MAX_TILE_ROWS, PANEL, PanelsView, Rows, lines_of_tile, row_tile, row_tiles, split};
use crate::pool::Pool;

/// Which panels of B are computed side by side: visit `v` has panels `v * step + i * apart` for `i` below `width`.
#[derive(Debug, Clone, Copy)]
pub struct Visits {
    pub count: usize,
    pub width: usize,
    pub step: usize,
    pub apart: usize,
}

/// What is done with a tile. A function of its rows, its visit and its sums does it at once. All of it happens amid another product, so it must not
/// run one itself.
pub trait TileWork: Sync {
    type Steps<'a>: Steps
    where
        Self: 'a;

    /// The work on a tile, to be done while the next one is computed.
    ///
    /// # Safety
    /// Nobody else uses the sums until the last step, and no tile is begun twice in a product.
    unsafe fn begin(&self, rows: Range<usize>, visit: usize, sums: *mut [f32]) -> Self::Steps<'_>;
}

impl<F: Fn(Range<usize>, usize, &mut [f32]) + Sync> TileWork for F {
    type Steps<'a>
        = Whole<'a, F>
    where
        Self: 'a;

    unsafe fn begin(&self, rows: Range<usize>, visit: usize, sums: *mut [f32]) -> Whole<'_, F> {
        Whole { work: self, tile: Some((rows, visit, sums)) }
    }
}

/// All work on a tile in one step.
pub struct Whole<'a, F> {
    work: &'a F,
    tile: Option<(Range<usize>, usize, *mut [f32])>,
}

impl<F: Fn(Range<usize>, usize, &mut [f32])> Steps for Whole<'_, F> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let Some((rows, visit, sums)) = self.tile.take() else { return false };
        // SAFETY: by the contract of `begin`.
        (self.work)(rows, visit, unsafe { &mut *sums });
        true
    }
}

/// Computes `A B` tile by tile and hands each to `work`, sums [width, rows, 32], to do with as it likes; their bits are those of `gemm`. Tiles
/// do not overlap and several run at once.
pub fn gemm_visits<E: GemmElement, W: TileWork>(
    pool: &Pool,
    a: Rows<'_, E>,
    b: PanelsView<'_, E>,
    visits: Visits,
    work: &W,
) {
    if a.rows == 0 || visits.count == 0 {
        return;
    }
    a.check(b.reduction);
    let columns = visits.width * PANEL;
    let bytes = b.reduction * columns * size_of::<E>();
    let panel = |visit: usize, beside: usize| b.panel(visit * visits.step + beside * visits.apart);
    split::<E>(pool, row_tiles(a), visits.count, bytes, &|task| {
        let mut sums = vec![0.0f32; MAX_TILE_ROWS * columns];
        let mut before: Option<W::Steps<'_>> = None;
        for group in task.groups::<E>() {
            // B are weights, which nothing has read just before.
            let streaming = task.begins_with(&group);
            for visit in task.units.clone() {
                for index in group.clone() {
                    let tile = row_tile(a, index);
                    for beside in 0..visits.width {
                        let (a, b_panel) = ((tile.data, tile.stride), panel(visit, beside));
                        let next = task.after(&group, visit).map(|visit| panel(visit, beside));
                        let next = lines_of_tile(b_panel, next, index - group.start, b.reduction);
                        // SAFETY: A and the panel hold the tile, by the check above and by slicing; the sums are this task's own and hold the
                        // largest, and work on those before ends before they are written.
                        unsafe {
                            let to = sums.as_mut_ptr().add(beside * tile.height * PANEL);
                            match before.take() {
                                Some(mut work) => {
                                    E::run_beside(streaming, tile.height, b.reduction, a, b_panel, to, next, &mut work)
                                }
                                None => {
                                    E::run_beside(streaming, tile.height, b.reduction, a, b_panel, to, next, &mut Idle)
                                }
                            }
                        }
                    }
                    let sums = std::ptr::from_mut(&mut sums[..tile.height * columns]);
                    // SAFETY: the sums are this task's own.
                    before = Some(unsafe { work.begin(tile.row..tile.row + tile.height, visit, sums) });
                }
            }
        }
        before.into_iter().for_each(|mut work| while work.step() {});
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, Panels, gemm, pack_rows};
    use crate::pool::Parts;

    fn as_if_visited_after<E: GemmElement>() {
        let pool = Pool::new(2);
        for (rows, width, reduction) in [(1, 1, 2), (3, 2, 64), (33, 3, 8), (97, 2, 1100), (600, 1, 130)] {
            let columns = 6 * PANEL;
            let numbers =
                |count: usize| (0..count).map(|i| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5)).collect();
            let (a, b): (Vec<E>, Vec<E>) = (numbers(rows * reduction), numbers(columns * reduction));
            let mut panels = Panels::<E>::zeros(columns, reduction);
            pack_rows(&pool, &b, reduction, reduction, &mut panels);
            let a = Rows { data: &a, rows, stride: reduction };
            let mut expected = vec![0.0f32; rows * columns];
            gemm(&pool, a, panels.view(), Output { data: &mut expected, stride: columns, offset: 0 }, false);
            for (step, apart) in [(width, 1), (1, 6 / width)] {
                let visits = Visits { count: 6 / width, width, step, apart };
                let mut seen = vec![f32::NAN; rows * columns];
                let parts = Parts::new(&mut seen);
                gemm_visits(&pool, a, panels.view(), visits, &|rows: Range<usize>, visit: usize, sums: &mut [f32]| {
                    for (beside, sums) in sums.chunks_exact(rows.len() * PANEL).enumerate() {
                        let panel = visit * step + beside * apart;
                        for (row, from) in rows.clone().zip(sums.chunks_exact(PANEL)) {
                            // SAFETY: tiles do not overlap.
                            unsafe { parts.get(row * columns + panel * PANEL, PANEL) }.copy_from_slice(from);
                        }
                    }
                });
                assert!(seen.iter().map(|x| x.to_bits()).eq(expected.iter().map(|x| x.to_bits())), "{rows}x{width}");
            }
        }
    }

    #[test]
    fn every_tile_is_visited_once_with_the_bits_of_the_whole_product() {
        as_if_visited_after::<f32>();
        as_if_visited_after::<Bf16>();
    }
}
