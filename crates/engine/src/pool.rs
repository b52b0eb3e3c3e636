//! A few threads that split numbered tasks among themselves. Tasks own disjoint outputs, so results do not depend on
//! which thread runs which task, nor on how many there are.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Turns of the wait loop before a thread goes to sleep: about 20 microseconds, longer than the gap between two
/// operations of one layer and short enough to leave the cores to JavaScript.
const SPINS: usize = 4_000;

/// Bits of `Shared::state`: below, how many workers take part in the job; then whether it is closed to more; above, its number.
const CLOSED: u64 = 1 << 16;
const TAKING_PART: u64 = CLOSED - 1;
const NUMBER: u64 = 1 << 17;

type Task = dyn Fn(usize) + Sync;

#[derive(Clone, Copy)]
struct Job {
    task: *const Task,
    count: usize,
}

struct Shared {
    /// Written only while no worker takes part and none can join.
    job: UnsafeCell<Option<Job>>,
    state: AtomicU64,
    next: AtomicUsize,
    sleeping: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
    panicked: Mutex<Option<Box<dyn std::any::Any + Send>>>,
    stop: AtomicBool,
}

// SAFETY: `job` is written by `Pool::run` while the state is closed and nobody takes part, and read by workers that have joined.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is used only between the start and the end of `Pool::run`, which borrows the task.
unsafe impl Send for Shared {}

/// `threads - 1` workers and the caller. A job waits only for workers that joined it: one that sleeps, or that the machine gave
/// to somebody else, costs nothing but its help.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<std::thread::JoinHandle<()>>,
    running: Mutex<()>,
}

impl Pool {
    /// `threads` is at least 1; 1 runs everything on the caller.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            state: AtomicU64::new(CLOSED),
            next: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
            panicked: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let workers = (1..threads.max(1))
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || work(&shared))
            })
            .collect();
        Self { shared, workers, running: Mutex::new(()) }
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(0)` to `task(count - 1)`, each once, and returns when all have ended. A panic in a task is passed on.
    pub fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        if count <= 1 || self.workers.is_empty() {
            (0..count).for_each(task);
            return;
        }
        let shared = &*self.shared;
        let panicked = {
            let _one = self.running.lock().expect("pool lock");
            // SAFETY: only the lifetime is erased; `close` below returns once no worker holds the pointer.
            let pointer = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Task>(task) };
            // SAFETY: the job before is closed and nobody takes part in it, so nobody reads.
            unsafe { *shared.job.get() = Some(Job { task: pointer, count }) };
            shared.next.store(0, Ordering::Relaxed);
            let number = shared.state.load(Ordering::Relaxed) / NUMBER;
            shared.state.store(number.wrapping_add(1).wrapping_mul(NUMBER), Ordering::SeqCst);
            wake_sleepers(shared);
            take_tasks(shared, task, count);
            close(shared);
            shared.panicked.lock().expect("pool lock").take()
        };
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.state.fetch_add(NUMBER, Ordering::SeqCst);
        wake_sleepers(&self.shared);
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

fn wake_sleepers(shared: &Shared) {
    // A worker counts itself in before it looks at the state for the last time, so one of the two sees the other.
    if shared.sleeping.load(Ordering::SeqCst) > 0 {
        drop(shared.bed.lock().expect("pool lock"));
        shared.wake.notify_all();
    }
}

/// Lets no more workers join, and waits for those that did.
fn close(shared: &Shared) {
    let mut taking_part = shared.state.fetch_or(CLOSED, Ordering::AcqRel) & TAKING_PART;
    let mut spins = 0;
    while taking_part != 0 {
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop()
        } else {
            std::thread::yield_now()
        }
        taking_part = shared.state.load(Ordering::Acquire) & TAKING_PART;
    }
}

fn take_tasks(shared: &Shared, task: &(dyn Fn(usize) + Sync), count: usize) {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        loop {
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            task(index);
        }
    }));
    if let Err(panic) = outcome {
        shared.next.store(count, Ordering::Relaxed);
        shared.panicked.lock().expect("pool lock").get_or_insert(panic);
    }
}

/// Counts a worker into job `number` unless it is closed.
fn join(shared: &Shared, number: u64) -> bool {
    let mut state = shared.state.load(Ordering::Acquire);
    while state / NUMBER == number && state & CLOSED == 0 {
        match shared.state.compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return true,
            Err(now) => state = now,
        }
    }
    false
}

/// Waits for a job after number `seen`; gives its number.
fn await_job(shared: &Shared, seen: u64) -> u64 {
    for _ in 0..SPINS {
        let number = shared.state.load(Ordering::Acquire) / NUMBER;
        if number != seen {
            return number;
        }
        std::hint::spin_loop();
    }
    let mut bed = shared.bed.lock().expect("pool lock");
    shared.sleeping.fetch_add(1, Ordering::SeqCst);
    loop {
        let number = shared.state.load(Ordering::SeqCst) / NUMBER;
        if number != seen {
            shared.sleeping.fetch_sub(1, Ordering::SeqCst);
            return number;
        }
        bed = shared.wake.wait(bed).expect("pool lock");
    }
}

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        seen = await_job(shared, seen);
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        if join(shared, seen) {
            // SAFETY: this worker has joined, so `Pool::run` leaves the job as it is.
            let job = unsafe { *shared.job.get() };
            if let Some(Job { task, count }) = job {
                // SAFETY: `Pool::run` keeps the task alive until this worker has counted itself out.
                take_tasks(shared, unsafe { &*task }, count);
            }
            shared.state.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A slice that several tasks write at once, each its own part.
#[derive(Clone, Copy)]
pub struct Parts<T> {
    start: *mut T,
    length: usize,
}

// SAFETY: `Parts::get` asks its caller that no two parts in use overlap.
unsafe impl<T: Send> Send for Parts<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Parts<T> {}

impl<T> Parts<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len() }
    }

    pub fn length(&self) -> usize {
        self.length
    }

    pub fn pointer(&self) -> *mut T {
        self.start
    }

    /// The elements `offset..offset + length`, to be read.
    ///
    /// # Safety
    /// Nobody writes them meanwhile, and the slice outlives them.
    #[inline(always)]
    pub unsafe fn read<'a>(&self, offset: usize, length: usize) -> &'a [T] {
        assert!(offset + length <= self.length, "part {offset}+{length} of {}", self.length);
        // SAFETY: in bounds by the assertion; not written by this function's contract.
        unsafe { std::slice::from_raw_parts(self.start.add(offset), length) }
    }

    /// The elements `offset..offset + length`.
    ///
    /// # Safety
    /// No other part in use at the same time overlaps this one, and the slice outlives it.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub unsafe fn get<'a>(&self, offset: usize, length: usize) -> &'a mut [T] {
        assert!(offset + length <= self.length, "part {offset}+{length} of {}", self.length);
        // SAFETY: in bounds by the assertion; not aliased by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_each_task_once_whatever_the_thread_count() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for round in 0..200 {
                let sum = AtomicU64::new(0);
                pool.run(round, &|index| {
                    sum.fetch_add(index as u64 + 1, Ordering::Relaxed);
                });
                assert_eq!(sum.into_inner(), (round * (round + 1) / 2) as u64);
            }
        }
    }

    #[test]
    fn serves_callers_on_several_threads_at_once() {
        let pool = Pool::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let sum = AtomicU64::new(0);
                        pool.run(16, &|index| {
                            sum.fetch_add(index as u64, Ordering::Relaxed);
                        });
                        assert_eq!(sum.into_inner(), 120);
                    }
                });
            }
        });
    }

    #[test]
    fn passes_a_panic_on_and_stays_usable() {
        let pool = Pool::new(3);
        let outcome = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|index| assert!(index != 5, "five"))));
        assert!(outcome.is_err());
        let count = AtomicUsize::new(0);
        pool.run(8, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 8);
    }
}
