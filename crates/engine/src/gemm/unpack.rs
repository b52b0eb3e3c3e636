//! From panels back to rows, for kernels that read A by rows alone.

use super::thread_buffer::with_buffer;
use super::transpose::transpose_groups;
use super::{GemmElement, PANEL, PanelsView, Rows};
use crate::element::Element;
use crate::pool::{Parts, Pool};

/// Calls `work` with the columns of a packed matrix as rows, in a buffer that this thread keeps.
pub(super) fn with_rows<E: GemmElement>(pool: &Pool, source: PanelsView<'_, E>, work: impl FnOnce(Rows<'_, E>)) {
    with_buffer(source.panels() * PANEL * source.reduction, |rows| {
        unpack(pool, source, rows);
        work(Rows { data: rows, rows: source.columns, stride: source.reduction });
    });
}

/// `out`: [panels * 32, reduction].
fn unpack<E: Element>(pool: &Pool, source: PanelsView<'_, E>, out: &mut [E]) {
    let length = PANEL * source.reduction;
    let parts = Parts::new(out);
    pool.run(source.panels(), &|index| {
        // SAFETY: each task has its own rows.
        let rows = unsafe { parts.get(index * length, length) };
        let groups = source.reduction / E::GROUP;
        transpose_groups(source.panel(index), PANEL * E::GROUP, groups, PANEL, rows, source.reduction);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::gemm::{Panels, pack_rows};

    fn comes_back<E: GemmElement>() {
        let pool = Pool::new(2);
        for (rows, groups) in [(1, 1), (31, 15), (32, 16), (33, 17), (70, 33)] {
            let reduction = groups * E::GROUP;
            let matrix: Vec<E> = (0..rows * reduction).map(|index| E::from_f32(index as f32)).collect();
            let mut panels = Panels::<E>::zeros(rows, reduction);
            pack_rows(&pool, &matrix, reduction, reduction, &mut panels);
            with_rows(&pool, panels.view(), |unpacked| {
                assert_eq!((unpacked.rows, unpacked.stride), (rows, reduction));
                assert_eq!(unpacked.data[..matrix.len()], matrix, "{rows}x{groups}");
            });
        }
    }

    #[test]
    fn what_was_packed_comes_back_row_by_row() {
        comes_back::<f32>();
        comes_back::<Bf16>();
    }
}
