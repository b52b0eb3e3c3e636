//! Buffers kept and reused from one pass to the next: fresh memory costs page faults, a fifth of a pass.

use crate::memory::prefer_large_pages;

/// Free buffers of one element type.
#[derive(Debug, Default)]
pub struct Free<T>(Vec<Vec<T>>);

impl<T: Copy + Default> Free<T> {
    /// A buffer of `length` whose contents are unspecified.
    pub fn take(&mut self, length: usize) -> Vec<T> {
        let fits = |buffer: &Vec<T>| buffer.capacity() >= length && buffer.capacity() <= length.max(4096) * 2;
        let best = (0..self.0.len()).filter(|&i| fits(&self.0[i])).min_by_key(|&i| self.0[i].capacity());
        let fresh = || {
            let mut buffer = Vec::with_capacity(length);
            prefer_large_pages(&mut buffer);
            buffer
        };
        let mut buffer = best.map_or_else(fresh, |index| self.0.swap_remove(index));
        buffer.resize(length, T::default());
        buffer
    }

    pub fn take_zeroed(&mut self, length: usize) -> Vec<T> {
        let mut buffer = self.take(length);
        buffer.fill(T::default());
        buffer
    }

    pub fn give(&mut self, buffer: Vec<T>) {
        if buffer.capacity() > 0 {
            self.0.push(buffer);
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Free buffers of a model's passes.
#[derive(Debug, Default)]
pub struct Buffers<E> {
    pub floats: Free<f32>,
    pub elements: Free<E>,
}
