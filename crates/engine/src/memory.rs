//! Large buffers on large pages: a pass goes over hundreds of megabytes, and with pages of 4 KiB the processor spends much
//! of it looking addresses up.

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

/// A vector of zeros on large pages.
pub fn zeros<T: Copy + Default>(length: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(length);
    prefer_large_pages(&mut buffer);
    buffer.resize(length, T::default());
    buffer
}
