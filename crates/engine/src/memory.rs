//! Large buffers on large pages: a pass goes over hundreds of megabytes, and with pages of 4 KiB the processor spends much
//! of it looking addresses up. And when a garbage collector should hear of them.

use std::alloc::{GlobalAlloc, Layout, System};

/// Whether a garbage collector that was told of `told` bytes outside its heap should hear that there are `bytes` now. Each growth that
/// it hears of may make it collect at once. A step's buffers come and go and make a model a few times larger: below twice and above a quarter
/// it is not told.
pub fn is_news(told: i64, bytes: i64) -> bool {
    let near = told / 4..told.saturating_mul(2);
    bytes == 0 || !near.contains(&bytes)
}

/// Buffers below this size gain nothing.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// Asks the system to back what the vector has reserved, and not yet touched, with large pages. It may decline.
pub fn prefer_large_pages<T>(buffer: &mut Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let bytes = buffer.capacity() * size_of::<T>();
        if bytes < LARGE {
            return;
        }
        let start = buffer.as_mut_ptr() as usize;
        let (first, last) = (start.next_multiple_of(PAGE), (start + bytes) / PAGE * PAGE);
        // SAFETY: whole pages within the vector's own allocation; the advice does not change what they hold.
        unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}

/// Moves what a slice holds, together with its neighbours on the same large pages, to large pages, where the system can. It
/// costs a copy, so it is for what stays and is read again and again.
pub fn move_to_large_pages<T>(data: &[T]) {
    #[cfg(target_os = "linux")]
    {
        const LARGE_PAGE: usize = 2 << 20;
        let (start, bytes) = (data.as_ptr() as usize, size_of_val(data));
        if bytes < LARGE_PAGE / 8 {
            return;
        }
        for page in (start / LARGE_PAGE * LARGE_PAGE..start + bytes).step_by(LARGE_PAGE) {
            // SAFETY: the advice changes no contents; where the range is not all mapped memory, the system declines.
            unsafe { libc::madvise(page as *mut libc::c_void, LARGE_PAGE, libc::MADV_COLLAPSE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = data;
}

/// Asks for what a slice holds, to be in the L2 cache when it is read.
#[inline(always)]
pub fn prefetch<T>(data: &[T]) {
    for line in (0..size_of_val(data)).step_by(LINE) {
        prefetch_line(data.as_ptr().cast::<u8>().wrapping_add(line));
    }
}

/// Asks for the line of an address, to be in the L2 cache when it is read. An address that is nobody's is harmless.
#[inline(always)]
pub fn prefetch_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Asks for the line of an address, to be written: a store that misses the caches waits for the line, and few can wait
/// at once.
#[inline(always)]
pub fn prefetch_to_write<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Lengthens a buffer to `length` where it is shorter.
#[inline(always)]
pub fn grow<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
}

/// A vector of zeros on large pages.
pub fn zeros<T: Copy + Default>(length: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(length);
    prefer_large_pages(&mut buffer);
    buffer.resize(length, T::default());
    buffer
}

/// The system's allocator, with what may be a buffer of numbers starting on a cache line: a vector register or a row of a tile is as wide
/// as a line, and one that straddles two takes twice as long to load. Growing such a buffer copies it. For the programs that run the
/// kernels to choose, by `#[global_allocator]`.
pub struct LineAligned;

/// A cache line in bytes.
pub const LINE: usize = 64;

/// The smallest buffer that is aligned: below are the texts and lists of everything else, of which there are many and which grow often.
const SMALLEST_BUFFER: usize = 1024;

/// What is asked of the system for a buffer: a line more, so that one begins in it, with room before for how far in. (The system's
/// own aligned allocation costs several times as much.) None where the buffer is to be as the system gives it.
fn with_a_line_more(layout: Layout) -> Option<Layout> {
    let wanted = layout.size() >= SMALLEST_BUFFER && layout.align() <= LINE;
    if !wanted {
        return None;
    }
    Layout::from_size_align(layout.size().checked_add(LINE)?, layout.align().max(align_of::<usize>())).ok()
}

/// The buffer in what the system gave.
///
/// # Safety
/// `start` is null or begins an allocation by `with_a_line_more`.
unsafe fn on_its_line(start: *mut u8) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    // The distance is a line where `start` begins one, so there is room for a number before the buffer.
    let distance = LINE - start.addr() % LINE;
    // SAFETY: the buffer begins at most a line into the allocation, at least as far as a number's alignment goes.
    unsafe {
        let buffer = start.add(distance);
        buffer.cast::<usize>().sub(1).write(distance);
        buffer
    }
}

// SAFETY: every call goes to the system's allocator with a layout that follows from the caller's alone, and no result is less aligned.
unsafe impl GlobalAlloc for LineAligned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by this function's contract.
        unsafe { with_a_line_more(layout).map_or_else(|| System.alloc(layout), |more| on_its_line(System.alloc(more))) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let zeroed = |layout| {
            // SAFETY: by this function's contract.
            unsafe { System.alloc_zeroed(layout) }
        };
        // SAFETY: as above.
        with_a_line_more(layout).map_or_else(|| zeroed(layout), |more| unsafe { on_its_line(zeroed(more)) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by this function's contract; the size is one that the caller may ask for with this alignment.
        unsafe {
            let grown = Layout::from_size_align_unchecked(size, layout.align());
            if with_a_line_more(layout).is_none() && with_a_line_more(grown).is_none() {
                return System.realloc(pointer, layout, size);
            }
            let moved = self.alloc(grown);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: by this function's contract; before a buffer stands how far into its allocation it begins.
        unsafe {
            match with_a_line_more(layout) {
                None => System.dealloc(pointer, layout),
                Some(more) => System.dealloc(pointer.sub(pointer.cast::<usize>().sub(1).read()), more),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_hears_of_arrival_growth_and_end_and_not_of_a_steps_buffers() {
        assert!(is_news(0, 100) && is_news(100, 200) && is_news(100, 24) && is_news(100, 0) && is_news(i64::MAX, 0));
        assert!(!is_news(100, 199) && !is_news(100, 100) && !is_news(100, 25));
    }

    #[test]
    fn buffers_of_a_kibibyte_start_on_a_cache_line_and_grow_and_shrink_with_what_they_hold() {
        let on_a_line = |pointer: *mut u8, size: usize| size < SMALLEST_BUFFER || pointer.addr().is_multiple_of(LINE);
        for (size, other) in [(1, 2), (600, 1200), (1200, 600), (1024, 5000), (9 << 20, 18 << 20)] {
            let layout = Layout::from_size_align(size, 2).expect("a layout");
            // SAFETY: what is allocated is written within its size and freed with the layout it has by then.
            unsafe {
                let pointer = LineAligned.alloc(layout);
                assert!(on_a_line(pointer, size), "{size}");
                pointer.write_bytes(7, size);
                let pointer = LineAligned.realloc(pointer, layout, other);
                assert!(on_a_line(pointer, other), "{size} to {other}");
                assert!((0..size.min(other)).all(|index| *pointer.add(index) == 7));
                LineAligned.dealloc(pointer, Layout::from_size_align(other, 2).expect("a layout"));
                let zeroed = LineAligned.alloc_zeroed(layout);
                assert!(on_a_line(zeroed, size) && (0..size).all(|index| *zeroed.add(index) == 0));
                LineAligned.dealloc(zeroed, layout);
            }
        }
    }

    #[test]
    fn what_moves_to_large_pages_stays_as_it_was() {
        for length in [0, 1000, 300_000, 1_500_000] {
            let values: Vec<u32> = (0..length).collect();
            move_to_large_pages(&values);
            move_to_large_pages(&values[length as usize / 3..]);
            assert!(values.iter().copied().eq(0..length));
        }
    }
}
