//! The keys and values of everything in flight on one base model, whatever the version of its weights: one bound on their
//! memory, and one memory of what has been read.

use super::pages::PageTable;
use crate::element::Element;
use crate::ops::pages::{Heads, Pages};

/// Weights under which keys and values were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Of the base weights.
    pub weights: u64,
    /// Of the adapter; 0 without one.
    pub adapter: u64,
}

/// Pages, who owns them, and how many are promised to samples in flight.
pub struct KeyValueMemory<E> {
    heads: Heads,
    layers: usize,
    pub(super) pages: Pages<E>,
    pub(crate) table: PageTable,
    pub(super) reserved: usize,
}

impl<E: Element> KeyValueMemory<E> {
    /// `bytes` bounds the memory; it holds one page at least.
    pub fn new(heads: Heads, layers: usize, bytes: usize) -> Self {
        let limit = (bytes / Pages::<E>::page_bytes(heads, layers)).max(1);
        Self { heads, layers, pages: Pages::up_to(heads, layers, limit), table: PageTable::new(limit), reserved: 0 }
    }

    /// Bytes of a page.
    pub fn page_bytes(&self) -> usize {
        Pages::<E>::page_bytes(self.heads, self.layers)
    }

    /// Pages that are neither taken nor promised.
    pub fn room(&self) -> usize {
        self.table.available().saturating_sub(self.reserved)
    }

    /// Takes a page that was promised or for which there is room.
    pub fn take(&mut self) -> u32 {
        let page = self.table.take();
        if (page as usize) < self.pages.count() {
            self.pages.clear(page as usize);
        } else {
            self.pages.grow(page as usize + 1);
        }
        page
    }

    /// Releases the pages of a sequence, the last first: the end of a text is of less use to others than its beginning.
    pub fn release(&mut self, pages: &[u32]) {
        pages.iter().rev().for_each(|&page| self.table.release(page));
    }

    /// Lets go of everything, and of the memory.
    pub fn clear(&mut self) {
        self.pages = Pages::up_to(self.heads, self.layers, self.table.limit());
        self.table = PageTable::new(self.table.limit());
        self.reserved = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pages::PAGE;

    #[test]
    fn room_is_made_from_the_end_of_what_is_known() {
        let heads = Heads { heads: 1, kv_heads: 1, dim: 32 };
        let mut memory = KeyValueMemory::<f32>::new(heads, 1, 3 * Pages::<f32>::page_bytes(heads, 1));
        let version = Version { weights: 1, adapter: 0 };
        let tokens: Vec<u32> = (0..3 * PAGE as u32).collect();
        let pages = [0; 3].map(|_| memory.take());
        memory.table.remember(version, &tokens, &pages);
        memory.release(&pages);
        for known in (0..3).rev() {
            assert_eq!(memory.room(), known + 1);
            memory.take();
            assert_eq!(memory.table.lookup(version, &tokens), pages[..known]);
        }
    }
}
