//! Products that are wanted rounded.

use super::{GemmElement, MAX_TILE_ROWS, PANEL, PanelsView, Rows, row_tile, row_tiles, run_tile, split};
use crate::ops::convert_row;
use crate::pool::{Parts, Pool};

/// `C = A B` rounded to E, C in rows `stride` apart; the bits are those of `gemm` and of rounding after it. The sums of a tile are
/// rounded while they are in the L1 cache.
pub fn gemm_rounded<E: GemmElement>(pool: &Pool, a: Rows<'_, E>, b: PanelsView<'_, E>, c: &mut [E], stride: usize) {
    let (rows, columns) = (a.rows, b.columns);
    if rows == 0 || columns == 0 {
        return;
    }
    a.check(b.reduction);
    assert!(stride >= columns && c.len() >= (rows - 1) * stride + columns, "C is too small");
    let (kernel, streaming_kernel) = (E::kernel(), E::streaming_kernel());
    let output = Parts::new(c);
    split(pool, row_tiles(a), b, b.reduction, &|panels, tiles| {
        let mut sums = [0.0f32; MAX_TILE_ROWS * PANEL];
        let mut rounded = [E::default(); MAX_TILE_ROWS * PANEL];
        for index in tiles.clone() {
            let tile = row_tile(a, index);
            // What is wanted rounded are products with weights, which nothing has packed just before.
            let kernel = if index == tiles.start { streaming_kernel } else { kernel };
            for panel in panels.clone() {
                // SAFETY: A and the panel hold the tile, by the check above and by slicing; the sums are this task's own and hold the largest.
                unsafe {
                    let to = sums.as_mut_ptr();
                    run_tile(
                        kernel,
                        tile.height,
                        b.reduction,
                        tile.data,
                        tile.stride,
                        b.panel(panel),
                        to,
                        PANEL,
                        PANEL,
                        false,
                    );
                }
                let length = tile.height * PANEL;
                convert_row(&sums[..length], &mut rounded[..length]);
                let width = (columns - panel * PANEL).min(PANEL);
                for (row, from) in rounded[..length].chunks_exact(PANEL).enumerate() {
                    // SAFETY: tasks write disjoint tiles of C.
                    unsafe { output.get((tile.row + row) * stride + panel * PANEL, width) }
                        .copy_from_slice(&from[..width]);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, Panels, gemm, pack_rows};

    fn as_if_rounded_after<E: GemmElement>() {
        let pool = Pool::new(2);
        for (rows, columns, reduction) in [(1, 32, 2), (3, 257, 64), (33, 31, 8), (97, 160, 1100), (200, 96, 2050)] {
            let numbers =
                |count: usize| (0..count).map(|i| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5)).collect();
            let (a, b): (Vec<E>, Vec<E>) = (numbers(rows * reduction), numbers(columns * reduction));
            let mut panels = Panels::<E>::zeros(columns, reduction);
            pack_rows(&pool, &b, reduction, reduction, &mut panels);
            let a = Rows { data: &a, rows, stride: reduction };
            let mut sums = vec![0.0f32; rows * columns];
            gemm(&pool, a, panels.view(), Output { data: &mut sums, stride: columns, offset: 0 }, false);
            let stride = columns + 3;
            let beside = E::from_f32(7.0);
            let mut rounded = vec![beside; rows * stride];
            gemm_rounded(&pool, a, panels.view(), &mut rounded, stride);
            for (row, sums) in rounded.chunks_exact(stride).zip(sums.chunks_exact(columns)) {
                let expected: Vec<E> = sums.iter().map(|&sum| E::from_f32(sum)).chain([beside; 3]).collect();
                let bits = |row: &[E]| -> Vec<u32> { row.iter().map(|value| value.to_f32().to_bits()).collect() };
                assert_eq!(bits(row), bits(&expected), "{rows}x{columns}x{reduction}");
            }
        }
    }

    #[test]
    fn gives_the_bits_of_rounding_afterwards_and_writes_nothing_beside() {
        as_if_rounded_after::<f32>();
        as_if_rounded_after::<Bf16>();
    }
}
