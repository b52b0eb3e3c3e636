//! Keys and values of single positions in the panels of a page.

use crate::element::Element;
use crate::ops::pages::{PAGE, PageWrite};

/// Whether the first writes are of neighbouring rows and fill a group of slots.
#[inline(always)]
pub fn begins_group<E: Element>(writes: &[PageWrite]) -> bool {
    let first = writes[0];
    let follows = |index: usize| {
        let PageWrite { row, page, slot } = writes[index];
        page == first.page && row == first.row + index as u32 && slot == first.slot + index as u32
    };
    (first.slot as usize).is_multiple_of(E::GROUP) && writes.len() >= E::GROUP && (1..E::GROUP).all(follows)
}

/// Writes the key of one slot, `panel` [key / GROUP][32][GROUP].
#[inline(always)]
pub fn write_key<E: Element>(key: &[E], slot: usize, panel: &mut [E]) {
    let mut rest = &mut panel[slot * E::GROUP..];
    let mut groups = key.chunks_exact(E::GROUP);
    for items in &mut groups {
        rest[..E::GROUP].copy_from_slice(items);
        let next = (PAGE * E::GROUP).min(rest.len());
        rest = &mut rest[next..];
    }
    for (part, item) in groups.remainder().iter().enumerate() {
        rest[part] = *item;
    }
}

/// Writes the values of a whole group of slots, rows `stride` apart, `group` [32][GROUP].
#[inline(always)]
pub fn write_values<E: Element>(values: &[E], stride: usize, width: usize, group: &mut [E]) {
    let group = &mut group[..width * E::GROUP];
    if E::GROUP == 2 {
        let (first, second) = (&values[..width], &values[stride..][..width]);
        for d in 0..width {
            group[2 * d] = first[d];
            group[2 * d + 1] = second[d];
        }
    } else {
        for part in 0..E::GROUP {
            write_value(&values[part * stride..][..width], part, group);
        }
    }
}

/// Writes the value of one slot of a group [32][GROUP].
#[inline(always)]
pub fn write_value<E: Element>(value: &[E], part: usize, group: &mut [E]) {
    let group = &mut group[..value.len() * E::GROUP];
    for d in 0..value.len() {
        group[d * E::GROUP + part] = value[d];
    }
}
