//! Pages of keys and values.
//!
//! A page holds 32 consecutive positions, aligned to 32, laid out as the panels that the matrix kernels read: keys
//! [head_dim / GROUP][32][GROUP], values [head_dim / 32][32 / GROUP][32][GROUP].

use std::ops::Range;

use crate::element::Element;
use crate::gemm::PANEL;
use crate::memory::{prefer_large_pages, prefetch};
use crate::ops::page_slots::{begins_group, write_key, write_value, write_values};
use crate::pool::{Parts, Pool};

/// Positions of a page: one panel.
pub const PAGE: usize = PANEL;

/// Rows from which on their writes are worth waking other threads.
const MANY_WRITES: usize = 16;

/// Writes between asking for a row and reading it.
const WRITES_AHEAD: usize = 16;

/// Where the key and value of a row go; a row on several paths is written for each.
#[derive(Debug, Clone, Copy)]
pub struct PageWrite {
    pub row: u32,
    pub page: u32,
    pub slot: u32,
}

/// Longest head whose sums a tile keeps at hand: 32 rows of them are a third of the L1 cache.
pub const MAX_HEAD: usize = 128;

/// Head counts and sizes of attention.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
}

impl Heads {
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    pub fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Panels of a head, where those are whole and few enough for `MAX_HEAD`.
    pub fn panels(&self) -> Option<usize> {
        (self.dim.is_multiple_of(PANEL) && self.dim <= MAX_HEAD).then_some(self.dim / PANEL)
    }

    /// head_dim as the value panels have it.
    pub fn padded(&self) -> usize {
        self.dim.next_multiple_of(PANEL)
    }
}

/// Copies row `index` of a head out of sums [panels, rows, 32].
#[inline(always)]
pub fn head_of_tile(sums: &[f32], rows: usize, index: usize, head: &mut [f32]) {
    for (to, tile) in head.chunks_exact_mut(PANEL).zip(sums.chunks_exact(rows * PANEL)) {
        to.copy_from_slice(&tile[index * PANEL..(index + 1) * PANEL]);
    }
}

/// Where keys and values lie: [pages][layers][kv_heads] of panels.
#[derive(Debug, Clone, Copy)]
struct Places {
    heads: Heads,
    layers: usize,
}

impl Places {
    fn key_length<E: Element>(self) -> usize {
        self.heads.dim.next_multiple_of(E::GROUP) * PAGE
    }

    fn value_length(self) -> usize {
        self.heads.padded() * PAGE
    }

    fn range(self, layer: usize, page: usize, head: usize, length: usize) -> Range<usize> {
        let start = ((page * self.layers + layer) * self.heads.kv_heads + head) * length;
        start..start + length
    }

    fn keys<E: Element>(self, layer: usize, page: usize, head: usize) -> Range<usize> {
        self.range(layer, page, head, self.key_length::<E>())
    }

    fn values(self, layer: usize, page: usize, head: usize) -> Range<usize> {
        self.range(layer, page, head, self.value_length())
    }
}

/// Pages of keys and values of all layers.
pub struct Pages<E> {
    places: Places,
    count: usize,
    /// Pages that there may be one day: as many find room where they are, if the system lends it.
    most: usize,
    keys: Vec<E>,
    values: Vec<E>,
}

/// Pages that the tasks of one pass read and write.
#[derive(Clone, Copy)]
pub struct SharedPages<E> {
    places: Places,
    keys: Parts<E>,
    values: Parts<E>,
}

/// Keys and values to be written, [rows, kv_heads * head_dim] each, and where.
#[derive(Clone, Copy)]
pub struct NewRows<'a, E> {
    pub writes: &'a [PageWrite],
    pub keys: &'a [E],
    pub values: &'a [E],
}

impl<E: Element> SharedPages<E> {
    /// The keys of a page in one layer and head.
    ///
    /// # Safety
    /// Nobody writes them meanwhile, and the pages are still there.
    #[inline(always)]
    pub unsafe fn keys<'a>(self, layer: usize, page: usize, head: usize) -> &'a [E] {
        let range = self.places.keys::<E>(layer, page, head);
        // SAFETY: by this function's contract.
        unsafe { self.keys.read(range.start, range.len()) }
    }

    /// The values of a page in one layer and head.
    ///
    /// # Safety
    /// As `keys`.
    #[inline(always)]
    pub unsafe fn values<'a>(self, layer: usize, page: usize, head: usize) -> &'a [E] {
        let range = self.places.values(layer, page, head);
        // SAFETY: by this function's contract.
        unsafe { self.values.read(range.start, range.len()) }
    }

    /// Where those keys lie.
    pub fn place_of_keys(self, layer: usize, page: usize, head: usize) -> *const [E] {
        let range = self.places.keys::<E>(layer, page, head);
        std::ptr::slice_from_raw_parts(self.keys.pointer().wrapping_add(range.start), range.len())
    }

    /// Where those values lie.
    pub fn place_of_values(self, layer: usize, page: usize, head: usize) -> *const [E] {
        let range = self.places.values(layer, page, head);
        std::ptr::slice_from_raw_parts(self.values.pointer().wrapping_add(range.start), range.len())
    }

    /// Writes 32 columns of a head of rows.
    ///
    /// # Safety
    /// Nobody else uses these columns of the head meanwhile, and the pages are still there.
    pub unsafe fn write_panel(self, layer: usize, head: usize, panel: usize, rows: NewRows<'_, E>) {
        let Heads { kv_heads, dim, .. } = self.places.heads;
        let NewRows { writes, keys, values } = rows;
        let first = panel * PANEL;
        let width = PANEL.min(dim - first);
        let place = |row: u32| (row as usize * kv_heads + head) * dim + first;
        let mut rest = writes;
        while let Some(&PageWrite { row, page, slot }) = rest.first() {
            let count = if begins_group::<E>(rest) { E::GROUP } else { 1 };
            if let Some(later) = rest.get(WRITES_AHEAD) {
                let row = place(later.row);
                prefetch(&keys[row..row + width]);
                prefetch(&values[row..row + width]);
            }
            let (page, slot) = (page as usize, slot as usize);
            let (key, value) = (self.places.keys::<E>(layer, page, head), self.places.values(layer, page, head));
            // SAFETY: by this function's contract.
            let (key_panel, value_panel) = unsafe {
                (
                    self.keys.get(key.start + first * PAGE, width.next_multiple_of(E::GROUP) * PAGE),
                    self.values.get(value.start + first * PAGE, PANEL * PAGE),
                )
            };
            let value_group = &mut value_panel[slot / E::GROUP * PANEL * E::GROUP..][..PANEL * E::GROUP];
            for index in 0..count {
                write_key(&keys[place(row + index as u32)..][..width], slot + index, key_panel);
            }
            if count == E::GROUP {
                write_values(&values[place(row)..], kv_heads * dim, width, value_group);
            } else {
                write_value(&values[place(row)..][..width], slot % E::GROUP, value_group);
            }
            rest = &rest[count..];
        }
    }
}

impl<E: Element> Pages<E> {
    pub fn new(heads: Heads, layers: usize, count: usize) -> Self {
        let mut pages = Self::up_to(heads, layers, count);
        pages.grow(count);
        pages
    }

    /// No pages, and room for `most`.
    pub fn up_to(heads: Heads, layers: usize, most: usize) -> Self {
        Self { places: Places { heads, layers }, count: 0, most, keys: Vec::new(), values: Vec::new() }
    }

    /// Bytes of one page in all layers.
    pub fn page_bytes(heads: Heads, layers: usize) -> usize {
        let places = Places { heads, layers };
        layers * heads.kv_heads * (places.key_length::<E>() + places.value_length()) * size_of::<E>()
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds empty pages until there are `count`.
    pub fn grow(&mut self, count: usize) {
        self.count = self.count.max(count);
        let heads = |pages: usize| pages * self.places.layers * self.places.heads.kv_heads;
        for (buffer, length) in
            [(&mut self.keys, self.places.key_length::<E>()), (&mut self.values, self.places.value_length())]
        {
            lengthen(buffer, heads(self.count) * length, heads(self.most).saturating_mul(length));
        }
    }

    /// For tasks to read and write, while nothing else uses the pages.
    pub fn share(&mut self) -> SharedPages<E> {
        SharedPages { places: self.places, keys: Parts::new(&mut self.keys), values: Parts::new(&mut self.values) }
    }

    /// Writes rows.
    pub fn write(&mut self, pool: &Pool, layer: usize, rows: NewRows<'_, E>) {
        let Heads { kv_heads, dim, .. } = self.places.heads;
        let panels = dim.div_ceil(PANEL);
        let shared = self.share();
        // SAFETY: each part has its own panel of its own head.
        let write_panel = |part: usize| unsafe { shared.write_panel(layer, part / panels, part % panels, rows) };
        if rows.writes.len() < MANY_WRITES {
            (0..kv_heads * panels).for_each(write_panel);
        } else {
            pool.run(kv_heads * panels, &write_panel);
        }
    }

    /// Copies a page in every layer.
    pub fn copy(&mut self, from: usize, to: usize) {
        for layer in 0..self.places.layers {
            for head in 0..self.places.heads.kv_heads {
                let source = self.places.keys::<E>(layer, from, head);
                let start = self.places.keys::<E>(layer, to, head).start;
                self.keys.copy_within(source, start);
                let source = self.places.values(layer, from, head);
                let start = self.places.values(layer, to, head).start;
                self.values.copy_within(source, start);
            }
        }
    }

    /// Zeroes a page in every layer: what an earlier owner left must not meet a zero weight as an infinity or a NaN.
    pub fn clear(&mut self, page: usize) {
        for layer in 0..self.places.layers {
            for head in 0..self.places.heads.kv_heads {
                let range = self.places.keys::<E>(layer, page, head);
                self.keys[range].fill(E::default());
                let range = self.places.values(layer, page, head);
                self.values[range].fill(E::default());
            }
        }
    }
}

/// Adds zeros until there are `length` elements, of `most`. They stay where they are as the buffer grows: a system lends addresses at once and
/// memory with its first use. On large pages: decoding reads a few KiB here and a few there.
fn lengthen<E: Element>(buffer: &mut Vec<E>, length: usize, most: usize) {
    if buffer.capacity() < length {
        let mut longer = Vec::new();
        if longer.try_reserve_exact(most.max(length)).is_err() {
            longer.reserve_exact(length.max(most.min(2 * buffer.len())));
        }
        prefer_large_pages(&mut longer);
        longer.extend_from_slice(buffer);
        *buffer = longer;
    }
    buffer.resize(length, E::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;

    fn lie_where_the_panels_want_them<E: Element>(dim: usize) {
        let (heads, layers, layer) = (Heads { heads: 4, kv_heads: 2, dim }, 2, 1);
        let write = |(row, page, slot)| PageWrite { row, page, slot };
        // Alone, in pairs, from odd slots, over the end of a page, rows out of order.
        let mut places = vec![(3, 0, 5), (0, 2, 0), (1, 2, 1), (9, 2, 4), (8, 2, 5)];
        places.extend((10..50).map(|row| (row, 1 + (row - 7) / 32 * 2, (row - 7) % 32)));
        for count in [3, places.len()] {
            let numbers = |shift: usize| (0..50 * 2 * dim).map(|i| E::from_f32((i % 251 + shift) as f32)).collect();
            let (keys, values): (Vec<E>, Vec<E>) = (numbers(1), numbers(2));
            let mut pages = Pages::<E>::new(heads, layers, 4);
            let writes: Vec<PageWrite> = places[..count].iter().copied().map(write).collect();
            pages.write(&Pool::new(2), layer, NewRows { writes: &writes, keys: &keys, values: &values });
            let mut wanted = Pages::<E>::new(heads, layers, 4);
            for PageWrite { row, page, slot } in writes {
                for (head, d) in (0..2).flat_map(|head| (0..dim).map(move |d| (head, d))) {
                    let (from, slot) = ((row as usize * 2 + head) * dim + d, slot as usize);
                    let key = wanted.places.keys::<E>(layer, page as usize, head).start;
                    let value = wanted.places.values(layer, page as usize, head).start + d / PANEL * PANEL * PAGE;
                    let group =
                        |index: usize, other: usize| (index / E::GROUP * 32 + other) * E::GROUP + index % E::GROUP;
                    wanted.keys[key + group(d, slot)] = keys[from];
                    wanted.values[value + group(slot, d % PANEL)] = values[from];
                }
            }
            assert_eq!(pages.keys, wanted.keys, "{dim} {count}");
            assert_eq!(pages.values, wanted.values, "{dim} {count}");
        }
    }

    #[test]
    fn pages_grow_where_they_are_and_keep_what_they_hold() {
        let heads = Heads { heads: 1, kv_heads: 1, dim: 32 };
        // More than a system lends: such pages move as they grow.
        for (most, stays) in [(9, true), (usize::MAX / (4 * PAGE * PAGE), false)] {
            let mut pages = Pages::<f32>::up_to(heads, 1, most);
            for count in 1..=9 {
                let before = pages.keys.as_ptr();
                pages.grow(count);
                assert!(count == 1 || !stays || pages.keys.as_ptr() == before, "{count} pages moved");
                assert!(
                    pages.keys[(count - 1) * PAGE * PAGE..]
                        .iter()
                        .chain(&pages.values[(count - 1) * PAGE * PAGE..])
                        .all(|x| *x == 0.0)
                );
                pages.keys[(count - 1) * PAGE * PAGE] = count as f32;
                pages.values[(count - 1) * PAGE * PAGE] = -(count as f32);
            }
            for page in 0..9 {
                let first = page * PAGE * PAGE;
                assert_eq!((pages.keys[first], pages.values[first]), (page as f32 + 1.0, -(page as f32) - 1.0));
            }
        }
    }

    #[test]
    fn keys_and_values_lie_where_the_panels_want_them() {
        for dim in [3, 32, 40, 64] {
            lie_where_the_panels_want_them::<f32>(dim);
            lie_where_the_panels_want_them::<Bf16>(dim);
        }
    }
}
