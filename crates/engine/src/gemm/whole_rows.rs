//! Products whose rows are worked on, whole, while they are in the L2 cache, and are not kept.

use std::ops::Range;

use super::thread_buffer::with_buffer;
use super::{GemmElement, PANEL, PanelsView, Rows, run_tile_strided};
use crate::pool::Pool;

/// Rows of a task at most: 576 numbers of each, and as many columns of B for one pass, are half of a 2 MiB L2 cache.
const TASK_ROWS: usize = 256;

/// Whether what one pass goes over of B, [reduction, columns], stays in the L2 cache.
pub fn takes_whole_rows<E: GemmElement>(reduction: usize, columns: usize) -> bool {
    reduction.min(E::pass()) * columns.next_multiple_of(PANEL) * size_of::<E>() <= E::block_bytes()
}

/// Computes `A B` and hands its rows to `work(rows, sums)`, sums [rows, columns of B], to do with as it likes; their
/// bits are those of `gemm`. Tasks run at once and begin at multiples of `unit` rows; each hands out its rows in order,
/// after `ahead` was called with each of them.
pub fn gemm_whole_rows<E: GemmElement>(
    pool: &Pool,
    a: Rows<'_, E>,
    b: PanelsView<'_, E>,
    unit: usize,
    ahead: &(dyn Fn(usize) + Sync),
    work: &(dyn Fn(Range<usize>, &mut [f32]) + Sync),
) {
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    a.check(b.reduction);
    let (kernel, streaming_kernel) = (E::kernel(), E::streaming_kernel());
    let (height, pass, columns) = (E::tile_rows(), E::pass(), b.columns);
    let most = a.rows.div_ceil(4 * pool.threads()).clamp(1, TASK_ROWS);
    let rows_of_task = (most / unit).max(1) * unit;
    pool.run(a.rows.div_ceil(rows_of_task), &|task| {
        let rows = task * rows_of_task..((task + 1) * rows_of_task).min(a.rows);
        with_buffer::<f32>(rows.len() * columns, |sums| {
            for start in (0..b.reduction).step_by(pass) {
                let length = (b.reduction - start).min(pass);
                let last = start + length == b.reduction;
                for first in rows.clone().step_by(height) {
                    let count = (rows.end - first).min(height);
                    let a_tile = &a.data[first * a.stride + start..];
                    let sums = &mut sums[(first - rows.start) * columns..][..count * columns];
                    // B are weights, which nothing has read just before.
                    let kernel = if first == rows.start { streaming_kernel } else { kernel };
                    for panel in 0..b.panels() {
                        if last {
                            let share = |panel: usize| first + panel * count / b.panels();
                            (share(panel)..share(panel + 1)).for_each(ahead);
                        }
                        let b_panel = &b.panel(panel)[start * PANEL..];
                        let width = (columns - panel * PANEL).min(PANEL);
                        // SAFETY: A and the panel hold the tile, by the check above and by slicing; the sums are this
                        // task's own.
                        unsafe {
                            let to = sums.as_mut_ptr().add(panel * PANEL);
                            let from = if start == 0 { std::ptr::null() } else { to.cast_const() };
                            let strides = (a.stride, E::GROUP);
                            run_tile_strided(kernel, count, length, a_tile, strides, b_panel, to, columns, width, from);
                        }
                    }
                    if last {
                        work(first..first + count, sums);
                    }
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Output, Panels, gemm, pack_rows};
    use crate::pool::Parts;

    fn as_whole<E: GemmElement>() {
        let pool = Pool::new(2);
        for (rows, columns, reduction, unit) in [(1, 1, 2, 3), (33, 70, 64, 28), (600, 40, 1100, 28), (97, 64, 8, 300)]
        {
            let numbers =
                |count: usize| (0..count).map(|i| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5)).collect();
            let (a, b): (Vec<E>, Vec<E>) = (numbers(rows * reduction), numbers(columns * reduction));
            let mut panels = Panels::<E>::zeros(columns, reduction);
            pack_rows(&pool, &b, reduction, reduction, &mut panels);
            let a = Rows { data: &a, rows, stride: reduction };
            let mut expected = vec![0.0f32; rows * columns];
            gemm(&pool, a, panels.view(), Output { data: &mut expected, stride: columns, offset: 0 }, false);
            let mut seen = vec![f32::NAN; rows * columns];
            let parts = Parts::new(&mut seen);
            let asked: Vec<AtomicUsize> = (0..rows).map(|_| AtomicUsize::new(0)).collect();
            let ahead = |row: usize| {
                asked[row].fetch_add(1, Ordering::Relaxed);
            };
            gemm_whole_rows(&pool, a, panels.view(), unit, &ahead, &|rows, sums| {
                assert!(rows.clone().all(|row| asked[row].load(Ordering::Relaxed) == 1));
                // SAFETY: tasks have their own rows.
                unsafe { parts.get(rows.start * columns, rows.len() * columns) }.copy_from_slice(sums);
            });
            assert!(seen.iter().map(|x| x.to_bits()).eq(expected.iter().map(|x| x.to_bits())), "{rows}x{columns}");
        }
    }

    #[test]
    fn every_row_comes_once_with_the_bits_of_the_whole_product() {
        as_whole::<f32>();
        as_whole::<Bf16>();
    }
}
