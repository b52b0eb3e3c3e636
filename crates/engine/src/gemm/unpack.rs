//! From panels back to rows, for kernels that read A by rows alone.

use std::cell::RefCell;

use super::{GemmElement, PANEL, PanelsView, Rows};
use crate::element::Element;
use crate::pool::{Parts, Pool};

/// Calls `work` with the columns of a packed matrix as rows, in a buffer that this thread keeps.
pub(super) fn with_rows<E: GemmElement>(pool: &Pool, source: PanelsView<'_, E>, work: impl FnOnce(Rows<'_, E>)) {
    thread_local! {
        static BUFFER: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
    }
    const { assert!(E::GROUP * size_of::<E>() == size_of::<i32>(), "a group is four bytes") };
    let groups = source.reduction / E::GROUP;
    BUFFER.with_borrow_mut(|buffer| {
        let length = source.panels() * PANEL * groups;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let buffer = &mut buffer[..length];
        unpack(pool, source, groups, buffer);
        // SAFETY: four bytes are one group of elements, which any bits may be.
        let data = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<E>(), length * E::GROUP) };
        work(Rows { data, rows: source.columns, stride: source.reduction });
    });
}

/// `out`: [panels * 32, groups].
fn unpack<E: Element>(pool: &Pool, source: PanelsView<'_, E>, groups: usize, out: &mut [i32]) {
    let parts = Parts::new(out);
    pool.run(source.panels(), &|index| {
        let panel = &source.panel(index)[..PANEL * groups * E::GROUP];
        // SAFETY: the panel holds as many groups of four bytes; each task has its own rows.
        unsafe { transpose(panel.as_ptr().cast(), groups, parts.get(index * PANEL * groups, PANEL * groups)) };
    });
}

/// `from`: [groups, 32]; `to`: [32, groups].
///
/// # Safety
/// `from` holds that many groups, aligned or not.
unsafe fn transpose(from: *const i32, groups: usize, to: &mut [i32]) {
    // SAFETY: by this function's contract.
    let done = unsafe { transpose_blocks(from, groups, to) };
    for group in done..groups {
        for row in 0..PANEL {
            // SAFETY: by this function's contract.
            to[row * groups + group] = unsafe { from.add(group * PANEL + row).read_unaligned() };
        }
    }
}

/// What whole blocks of 16 groups there are, where vectors can; gives the groups that are done.
///
/// # Safety
/// As `transpose`.
#[cfg(target_arch = "x86_64")]
unsafe fn transpose_blocks(from: *const i32, groups: usize, to: &mut [i32]) -> usize {
    if crate::isa::isa() != crate::isa::Isa::Amx {
        return 0;
    }
    let done = groups / 16 * 16;
    for group in (0..done).step_by(16) {
        for half in [0, 16] {
            let to = &mut to[half * groups + group..(half + 15) * groups + group + 16];
            // SAFETY: by this function's contract and by slicing; a machine with AMX has AVX-512.
            unsafe { super::amx::transpose_16(from.add(group * PANEL + half), PANEL, to.as_mut_ptr(), groups) };
        }
    }
    done
}

/// # Safety
/// Safe: it does nothing.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn transpose_blocks(_: *const i32, _: usize, _: &mut [i32]) -> usize {
    0
}
