//! Pages asked for a little ahead of their use: memory then answers while the pages before are worked on.

use crate::memory::{LINE, prefetch_line};

/// Bytes asked for ahead of their use: about as much as memory sends while it takes to answer.
const AHEAD: usize = 32 << 10;

/// Bytes asked for at a time: few, so that the requests do not hold up the work between them.
const STEP: usize = 2 << 10;

/// Asks for pages in the order in which they will be used.
pub struct Ahead<E, I> {
    pages: I,
    /// What is left of the page that is being asked for.
    rest: *const [E],
    /// Elements used for which none have been asked yet.
    owed: usize,
}

impl<E, I: Iterator<Item = *const [E]>> Ahead<E, I> {
    #[inline(always)]
    pub fn new(pages: I) -> Self {
        let owed = AHEAD / size_of::<E>();
        let mut ahead = Self { pages, rest: std::ptr::slice_from_raw_parts(std::ptr::null(), 0), owed };
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
            if self.rest.len() == 0 {
                let Some(page) = self.pages.next() else { return };
                self.rest = page;
            }
            let (start, length) = (self.rest.cast::<E>(), self.rest.len());
            let now = left.min(length);
            for line in (0..now * size_of::<E>()).step_by(LINE) {
                prefetch_line(start.cast::<u8>().wrapping_add(line));
            }
            self.rest = std::ptr::slice_from_raw_parts(start.wrapping_add(now), length - now);
            self.owed -= now;
            left -= now;
        }
    }
}
