//! Buffers kept and reused from one pass to the next: fresh memory costs page faults, a fifth of a pass.

use std::ops::{Deref, DerefMut};

use crate::gemm::{GemmElement, PANEL, Panels};
use crate::memory::prefer_large_pages;

/// How many times the most that was ever in use at once may lie free before a new buffer replaces old ones.
const SPARE: usize = 2;

/// How many times too large a buffer may be that is taken rather than a new one: micro-batches of one step differ by a factor of three, and fresh
/// memory costs more than what lies unused.
const TOO_LARGE: usize = 4;

/// The beginning of a vector that stays as long as it ever was: what is taken again need not be filled again.
#[derive(Debug, Default)]
pub struct Buffer<T> {
    whole: Vec<T>,
    length: usize,
}

impl<T> Buffer<T> {
    /// The vector that the buffer is the beginning of.
    pub fn into_whole(self) -> Vec<T> {
        self.whole
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    fn from(whole: Vec<T>) -> Self {
        Self { length: whole.len(), whole }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.whole[..self.length]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.whole[..self.length]
    }
}

/// Free buffers of one element type.
#[derive(Debug, Default)]
pub struct Free<T> {
    /// Those given back longest ago first.
    buffers: Vec<Vec<T>>,
    /// Elements of the buffers in use, and the most there ever were.
    used: usize,
    most: usize,
}

/// The size of a buffer for `length` elements: four sizes an octave, so that batches that grow by a few rows find the
/// buffers of the one before. A new one has at most a fifth of unused room.
fn class_of(length: usize) -> usize {
    let length = length.max(4096);
    let step = length.next_power_of_two() / 8;
    length.next_multiple_of(step)
}

impl<T: Copy + Default> Free<T> {
    /// A buffer of `length` whose contents are unspecified: the smallest free one that is neither too small nor far too large, else a new
    /// one.
    pub fn take(&mut self, length: usize) -> Buffer<T> {
        let class = class_of(length);
        let size = |index: &usize| self.buffers[*index].len();
        let fitting = |index: &usize| (length..=TOO_LARGE * class).contains(&size(index));
        let found = (0..self.buffers.len()).filter(fitting).min_by_key(size);
        let whole = match found {
            Some(index) => self.buffers.remove(index),
            None => Vec::with_capacity(class),
        };
        self.used += whole.capacity();
        self.most = self.most.max(self.used);
        let mut buffer = Buffer { whole, length };
        if found.is_none() {
            self.trim();
            prefer_large_pages(&mut buffer.whole);
            buffer.whole.resize(class, T::default());
        }
        buffer
    }

    /// Lets go of the buffers that have been free for longest, where more lies free than batches of different sizes explain.
    fn trim(&mut self) {
        let mut free: usize = self.buffers.iter().map(Vec::capacity).sum();
        let stale = self.buffers.iter().take_while(|buffer| {
            let stale = free > SPARE * self.most;
            free -= buffer.capacity();
            stale
        });
        let count = stale.count();
        self.buffers.drain(..count);
    }

    pub fn take_zeroed(&mut self, length: usize) -> Buffer<T> {
        let mut buffer = self.take(length);
        buffer.fill(T::default());
        buffer
    }

    /// Memory of the free buffers.
    pub fn bytes(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum::<usize>() * size_of::<T>()
    }

    pub fn give(&mut self, buffer: Buffer<T>) {
        let whole = buffer.into_whole();
        self.used = self.used.saturating_sub(whole.capacity());
        if whole.capacity() > 0 {
            self.buffers.push(whole);
        }
    }
}

/// Free buffers of a model's passes.
#[derive(Debug, Default)]
pub struct Buffers<E> {
    pub floats: Free<f32>,
    pub elements: Free<E>,
}

impl<E: Copy + Default> Buffers<E> {
    /// Memory of all free buffers.
    pub fn bytes(&self) -> usize {
        self.floats.bytes() + self.elements.bytes()
    }
}

/// Panels in a reused buffer.
pub fn panels<E: GemmElement>(free: &mut Buffers<E>, columns: usize, reduction: usize) -> Panels<E> {
    let length = columns.next_multiple_of(PANEL) * reduction.next_multiple_of(E::GROUP);
    let data = free.elements.take(length).into_whole();
    let mut panels = Panels { columns: 0, reduction: 0, data };
    panels.reshape(columns, reduction);
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(free: &Free<f32>) -> usize {
        free.buffers.iter().map(Vec::capacity).sum()
    }

    /// A pass that takes two buffers of a length at once, and a third of a tenth of it.
    fn pass(free: &mut Free<f32>, length: usize) {
        let buffers = [free.take(length), free.take(length), free.take(length / 10)];
        buffers.into_iter().for_each(|buffer| free.give(buffer));
    }

    #[test]
    fn batches_that_grow_slowly_leave_no_pile_behind() {
        let mut free = Free::default();
        for length in (100_000..1_000_000).step_by(1000) {
            pass(&mut free, length);
        }
        // Two of a million and a tenth, in whole size classes, and as much again twice.
        assert!(held(&free) <= 3 * 2_400_000, "{}", held(&free));
    }

    #[test]
    fn batches_that_alternate_find_their_buffers_again() {
        let mut free = Free::default();
        let addresses = |free: &Free<f32>| {
            let mut all: Vec<*const f32> = free.buffers.iter().map(|buffer| buffer.as_ptr()).collect();
            all.sort();
            all
        };
        for length in [900_000, 80_000, 300_000, 900_000, 80_000, 300_000] {
            pass(&mut free, length);
        }
        let before = addresses(&free);
        for length in [900_000, 80_000, 300_000, 901_000, 79_000, 300_100] {
            pass(&mut free, length);
        }
        assert_eq!(addresses(&free), before);
    }
}
