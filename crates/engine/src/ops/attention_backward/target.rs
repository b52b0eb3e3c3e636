//! Where the gradients of queries, keys and values go.

use std::ops::Range;

use crate::convert::convert_row;
use crate::element::Element;
use crate::memory::{LINE, prefetch_line};
use crate::ops::pages::Heads;
use crate::ops::rope::RopeTable;
use crate::pool::Parts;

/// Elements of T in the cache line that is asked for at a time.
const fn of_line<T>() -> usize {
    LINE / size_of::<T>()
}

/// [rows, heads + 2 kv_heads, head_dim]: a row's queries, then its keys, then its values.
pub(super) struct Target<'a, T> {
    heads: Heads,
    rope: &'a RopeTable,
    matrix: Parts<T>,
}

impl<'a, T: Element> Target<'a, T> {
    pub fn new(heads: Heads, rope: &'a RopeTable, matrix: &mut [T]) -> Self {
        Self { heads, rope, matrix: Parts::new(matrix) }
    }

    fn place(&self, row: usize, head: usize) -> Range<usize> {
        let Heads { heads, kv_heads, dim } = self.heads;
        let place = row * (heads + 2 * kv_heads) + head;
        place * dim..(place + 1) * dim
    }

    /// Asks for where a row has a head, counted over queries, keys and values.
    pub fn prefetch(&self, row: usize, head: usize) {
        for at in self.place(row, head).step_by(of_line::<T>()) {
            prefetch_line(self.matrix.pointer().wrapping_add(at));
        }
    }

    /// Writes the gradient of a head: of queries and keys as it was before the rotation at `position`.
    ///
    /// # Safety
    /// No other thread uses the row's part for that head.
    pub unsafe fn put(&self, row: usize, position: usize, head: usize, gradient: &[f32]) {
        let place = self.place(row, head);
        // SAFETY: by this function's contract.
        let to = unsafe { self.matrix.get(place.start, place.len()) };
        if head < self.heads.heads + self.heads.kv_heads {
            self.rope.rotate_back(gradient, position, to);
        } else {
            convert_row(gradient, to);
        }
    }
}
