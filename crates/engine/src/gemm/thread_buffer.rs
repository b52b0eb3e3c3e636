//! Room that a thread keeps from one product to the next.

use std::cell::RefCell;

use super::GemmElement;
use crate::memory::grow;

/// Calls `work` with room for `length` elements, whose contents are unspecified. `work` must not ask for such room itself.
pub fn with_buffer<E: GemmElement>(length: usize, work: impl FnOnce(&mut [E])) {
    thread_local! {
        /// Groups of four bytes, whatever the element.
        static BUFFER: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    }
    const { assert!(E::GROUP * size_of::<E>() == size_of::<u32>()) };
    BUFFER.with_borrow_mut(|buffer| {
        let groups = length.div_ceil(E::GROUP);
        grow(buffer, groups);
        // SAFETY: any bits are elements, and the buffer holds as many groups, aligned to four bytes.
        work(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<E>(), groups * E::GROUP) });
    });
}
