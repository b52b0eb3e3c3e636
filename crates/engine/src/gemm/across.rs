//! Products whose reduction runs over the rows of both operands, for kernels that read A by rows alone.

use std::ops::Range;

use super::thread_buffer::with_buffer;
use super::transpose::TURNED;
use super::{GemmElement, Output, PANEL, PanelsView, Rows, run_tile, split};
use crate::pool::{Parts, Pool};

/// `C += A^T B`. A: [reduction, columns], row-major, its `columns` the rows of C. B: [reduction, columns of C], packed. Each task turns its part of A
/// around in the L2 cache, where its products find it.
pub fn gemm_across<E: GemmElement>(pool: &Pool, a: Rows<'_, E>, columns: usize, b: PanelsView<'_, E>, c: Output<'_>) {
    if a.rows == 0 || columns == 0 || b.columns == 0 {
        return;
    }
    a.check(columns);
    assert!(b.reduction == a.rows.next_multiple_of(E::GROUP), "the reductions of A and B differ");
    assert!(c.data.len() >= (columns - 1) * c.stride + c.offset + b.columns, "C is too small");
    let (kernel, height, pass) = (E::filling_kernel(), E::tile_rows(), E::pass());
    let output = Parts::new(c.data);
    let panel_bytes = b.reduction.min(pass) * PANEL * size_of::<E>();
    split::<E>(pool, columns.div_ceil(height), b.panels(), panel_bytes, &|task| {
        let rows = task.tiles.start * height..(task.tiles.end * height).min(columns);
        with_buffer(rows.len().next_multiple_of(PANEL) * pass, |turned| {
            for start in (0..a.rows).step_by(pass) {
                let taken = start..(start + pass).min(a.rows);
                let length = taken.len().next_multiple_of(E::GROUP);
                turn(a, taken, rows.clone(), turned, pass);
                for first in rows.clone().step_by(height) {
                    let count = (rows.end - first).min(height);
                    let a_tile = &turned[(first - rows.start) * pass..];
                    for panel in task.units.clone() {
                        let b_panel = &b.panel(panel)[start * PANEL..];
                        let width = (b.columns - panel * PANEL).min(PANEL);
                        // SAFETY: bounds are asserted above and by slicing; tasks write disjoint tiles of C.
                        unsafe {
                            let to = output.pointer().add(first * c.stride + c.offset + panel * PANEL);
                            run_tile(kernel, count, length, a_tile, pass, b_panel, to, c.stride, width, true);
                        }
                    }
                }
            }
        });
    });
}

/// Turns rows `taken` of columns `columns` of A into rows of `out`, `stride` apart; zeros where the last group is not full.
fn turn<E: GemmElement>(a: Rows<'_, E>, taken: Range<usize>, columns: Range<usize>, out: &mut [E], stride: usize) {
    let depth = TURNED * E::GROUP;
    let length = taken.len();
    for from in (0..length).step_by(depth) {
        let height = (length - from).min(depth);
        let source = &a.data[(taken.start + from) * a.stride..];
        for column in columns.clone().step_by(PANEL) {
            let to = &mut out[(column - columns.start) * stride + from..];
            if height == depth && column + PANEL <= columns.end {
                E::turn(&source[column..], a.stride, to, stride);
                continue;
            }
            for (index, column) in (column..columns.end.min(column + PANEL)).enumerate() {
                let to = &mut to[index * stride..index * stride + height.next_multiple_of(E::GROUP)];
                to[height..].fill(E::default());
                for (row, to) in to.iter_mut().enumerate().take(height) {
                    *to = source[row * a.stride + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Panels, gemm_packed, pack_columns};

    fn as_if_packed<E: GemmElement>() {
        let pool = Pool::new(2);
        for (reduction, rows, columns) in [(1, 1, 1), (33, 31, 70), (64, 32, 32), (600, 100, 40), (1100, 700, 33)] {
            let stride = rows + 3;
            let numbers =
                |count: usize| (0..count).map(|i| E::from_f32((i * 7919 % 1013) as f32 / 1013.0 - 0.5)).collect();
            let (a, b): (Vec<E>, Vec<E>) = (numbers(reduction * stride), numbers(reduction * columns));
            let mut right = Panels::<E>::zeros(columns, reduction);
            pack_columns(&pool, &b, columns, reduction, &mut right);
            let mut left = Panels::<E>::zeros(rows, reduction);
            pack_columns(&pool, &a, stride, reduction, &mut left);
            let mut expected: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let mut got = expected.clone();
            let whole = |data| Output { data, stride: columns, offset: 0 };
            gemm_packed(&pool, left.view(), right.view(), whole(&mut expected), true);
            let a = Rows { data: &a, rows: reduction, stride };
            gemm_across(&pool, a, rows, right.view(), whole(&mut got));
            assert!(got.iter().map(|x| x.to_bits()).eq(expected.iter().map(|x| x.to_bits())), "{rows}x{columns}");
        }
    }

    #[test]
    fn gives_the_bits_of_the_product_of_packed_operands() {
        as_if_packed::<f32>();
        as_if_packed::<Bf16>();
    }
}
