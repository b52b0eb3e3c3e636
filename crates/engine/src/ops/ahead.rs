//! Pages asked for a little ahead of their use: memory then answers while the pages before are worked on.

use crate::memory::prefetch;

/// Bytes asked for ahead of their use: about as much as memory sends while it takes to answer.
const AHEAD: usize = 32 << 10;

/// Bytes asked for at a time: few, so that the requests do not hold up the work between them.
const STEP: usize = 2 << 10;

/// Asks for pages in the order in which they will be used.
pub struct Ahead<'a, E, I> {
    pages: I,
    /// What is left of the page that is being asked for.
    rest: &'a [E],
    /// Elements used for which none have been asked yet.
    owed: usize,
}

impl<'a, E, I: Iterator<Item = &'a [E]>> Ahead<'a, E, I> {
    #[inline(always)]
    pub fn new(pages: I) -> Self {
        let owed = AHEAD / size_of::<E>();
        let mut ahead = Self { pages, rest: &[], owed };
        ahead.ask(owed);
        ahead
    }

    /// Says that the next page in the order is used now.
    #[inline(always)]
    pub fn used(&mut self, page: &[E]) {
        self.owed += page.len();
    }

    /// Asks for a part of what comes next.
    #[inline(always)]
    pub fn step(&mut self) {
        self.ask(STEP / size_of::<E>());
    }

    #[inline(always)]
    fn ask(&mut self, most: usize) {
        let mut left = most.min(self.owed);
        while left > 0 {
            if self.rest.is_empty() {
                let Some(page) = self.pages.next() else { return };
                self.rest = page;
            }
            let (now, later) = self.rest.split_at(left.min(self.rest.len()));
            prefetch(now);
            self.rest = later;
            self.owed -= now.len();
            left -= now.len();
        }
    }
}
