//! Who owns which page of keys and values, and which pages can be had again by their tokens.

use std::collections::{BTreeMap, HashMap};

use super::memory::Version;
use crate::ops::pages::PAGE;

/// Identifies the tokens of a page together with everything before them: the chain of the page before, the weights'
/// version and the page's tokens. Compared whole, so a hit is never an accident.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    before: u64,
    version: Version,
    tokens: [u32; PAGE],
}

/// Counts references to pages and remembers full ones until their room is needed.
#[derive(Debug, Default)]
pub struct PageTable {
    references: Vec<u32>,
    free: Vec<u32>,
    limit: usize,
    known: HashMap<Key, (u32, u64)>,
    keys: Vec<Option<Key>>,
    /// Pages that nobody uses and that are known, by the time of their last use.
    idle: BTreeMap<u64, u32>,
    idle_since: Vec<u64>,
    clock: u64,
}

/// The chain of an empty beginning.
pub const ROOT: u64 = 0;

impl PageTable {
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Pages that can be taken now.
    pub fn available(&self) -> usize {
        self.limit - self.references.len() + self.free.len() + self.idle.len()
    }

    /// Pages that were ever taken.
    #[cfg(test)]
    pub fn taken(&self) -> usize {
        self.references.len()
    }

    /// Takes a page: a new one, a free one, or the one idle for longest.
    pub fn take(&mut self) -> u32 {
        let page = if let Some(page) = self.free.pop() {
            page
        } else if self.references.len() < self.limit {
            self.references.push(0);
            self.keys.push(None);
            self.idle_since.push(0);
            self.references.len() as u32 - 1
        } else {
            let (_, page) = self.idle.pop_first().expect("the scheduler reserves before it takes");
            self.forget(page);
            page
        };
        self.references[page as usize] = 1;
        page
    }

    fn forget(&mut self, page: u32) {
        if let Some(key) = self.keys[page as usize].take() {
            self.known.remove(&key);
        }
    }

    pub fn share(&mut self, page: u32) {
        if self.references[page as usize] == 0 {
            self.idle.remove(&self.idle_since[page as usize]);
        }
        self.references[page as usize] += 1;
    }

    pub fn release(&mut self, page: u32) {
        let index = page as usize;
        self.references[index] -= 1;
        if self.references[index] > 0 {
            return;
        }
        if self.keys[index].is_some() {
            self.clock += 1;
            self.idle_since[index] = self.clock;
            self.idle.insert(self.clock, page);
        } else {
            self.free.push(page);
        }
    }

    /// Forgets what nobody uses of the versions that are meant, which will not be asked for again.
    pub fn forget_versions(&mut self, meant: impl Fn(Version) -> bool) {
        let of = |page: u32| self.keys[page as usize].as_ref().map(|key| key.version);
        let pages: Vec<u32> = self.idle.values().copied().filter(|&page| of(page).is_some_and(&meant)).collect();
        for page in pages {
            self.idle.remove(&self.idle_since[page as usize]);
            self.forget(page);
            self.free.push(page);
        }
    }

    /// Whether a page is known and unused, so that sharing it takes from what is available.
    pub fn is_idle(&self, page: u32) -> bool {
        self.references[page as usize] == 0
    }

    /// The known pages that hold the beginning of `tokens`.
    pub fn lookup(&self, version: Version, tokens: &[u32]) -> Vec<u32> {
        let mut pages = Vec::new();
        let mut before = ROOT;
        for chunk in tokens.chunks_exact(PAGE) {
            let Ok(tokens) = chunk.try_into() else { break };
            let Some(&(page, chain)) = self.known.get(&Key { before, version, tokens }) else { break };
            pages.push(page);
            before = chain;
        }
        pages
    }

    /// Makes the full pages of a sequence known.
    pub fn remember(&mut self, version: Version, tokens: &[u32], pages: &[u32]) {
        let mut before = ROOT;
        for (chunk, &page) in tokens.chunks_exact(PAGE).zip(pages) {
            let Ok(tokens) = chunk.try_into() else { break };
            let key = Key { before, version, tokens };
            if let Some(&(_, chain)) = self.known.get(&key) {
                before = chain;
                continue;
            }
            if self.keys[page as usize].is_some() {
                break;
            }
            self.clock += 1;
            self.known.insert(key.clone(), (page, self.clock));
            self.keys[page as usize] = Some(key);
            before = self.clock;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Version = Version { weights: 1, adapter: 0 };
    const OTHER: Version = Version { weights: 1, adapter: 2 };

    #[test]
    fn finds_a_beginning_again_until_its_room_is_needed() {
        let mut table = PageTable::new(3);
        let tokens: Vec<u32> = (0..2 * PAGE as u32 + 5).collect();
        let pages = [table.take(), table.take(), table.take()];
        assert_eq!(table.available(), 0);
        table.remember(FIRST, &tokens, &pages);
        pages.iter().for_each(|&page| table.release(page));
        assert_eq!(table.available(), 3);
        assert_eq!(table.lookup(FIRST, &tokens), pages[..2]);
        assert!(table.lookup(OTHER, &tokens).is_empty());
        let mut other = tokens.clone();
        other[PAGE + 3] = 9999;
        assert_eq!(table.lookup(FIRST, &other), pages[..1]);
        (0..3).for_each(|_| {
            table.take();
        });
        assert!(table.lookup(FIRST, &tokens).is_empty());
    }

    #[test]
    fn a_shared_page_stays_until_its_last_user_lets_go() {
        let mut table = PageTable::new(1);
        let page = table.take();
        table.share(page);
        table.release(page);
        assert_eq!(table.available(), 0);
        table.release(page);
        assert_eq!(table.available(), 1);
    }

    #[test]
    fn versions_that_are_gone_make_room_before_pages_that_may_be_asked_for() {
        let mut table = PageTable::new(2);
        let tokens: Vec<u32> = (0..PAGE as u32).collect();
        let pages = [table.take(), table.take()];
        table.remember(OTHER, &tokens, &pages[..1]);
        table.remember(FIRST, &tokens, &pages[1..]);
        pages.iter().rev().for_each(|&page| table.release(page));
        table.forget_versions(|version| version == OTHER);
        assert!(table.lookup(OTHER, &tokens).is_empty());
        assert_eq!(table.take(), pages[0]);
        assert_eq!(table.lookup(FIRST, &tokens), pages[1..]);
    }
}
