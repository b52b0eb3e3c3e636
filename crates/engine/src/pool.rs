//! A few threads that split numbered tasks among themselves. Tasks own disjoint outputs, so results do not depend on
//! which thread runs which task, nor on how many there are.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Turns of the wait loop before a thread goes to sleep: about 20 microseconds, longer than the gap between two
/// operations of one layer and short enough to leave the cores to JavaScript.
const SPINS: usize = 4_000;

type Task = dyn Fn(usize) + Sync;

#[derive(Clone, Copy)]
struct Job {
    task: *const Task,
    count: usize,
}

// SAFETY: the pointer is used only between the start and the end of `Pool::run`, which borrows the task.
unsafe impl Send for Job {}

struct Shared {
    job: Mutex<Option<Job>>,
    wake: Condvar,
    generation: AtomicUsize,
    next: AtomicUsize,
    working: AtomicUsize,
    panicked: Mutex<Option<Box<dyn std::any::Any + Send>>>,
    stop: AtomicUsize,
}

/// `threads - 1` workers and the caller.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<std::thread::JoinHandle<()>>,
}

impl Pool {
    /// `threads` is at least 1; 1 runs everything on the caller.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            job: Mutex::new(None),
            wake: Condvar::new(),
            generation: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            panicked: Mutex::new(None),
            stop: AtomicUsize::new(0),
        });
        let workers = (1..threads.max(1))
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || work(&shared))
            })
            .collect();
        Self { shared, workers }
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
        // SAFETY: only the lifetime is erased; no worker holds the pointer after `working` is back at zero, below.
        let task_pointer = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Task>(task) };
        shared.next.store(0, Ordering::Relaxed);
        shared.working.store(self.workers.len(), Ordering::Relaxed);
        {
            let mut job = shared.job.lock().expect("pool lock");
            *job = Some(Job { task: task_pointer, count });
            shared.generation.fetch_add(1, Ordering::Release);
        }
        shared.wake.notify_all();
        take_tasks(shared, task, count);
        let mut spins = 0;
        while shared.working.load(Ordering::Acquire) != 0 {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let panicked = shared.panicked.lock().expect("pool lock").take();
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let _job = self.shared.job.lock().expect("pool lock");
            self.shared.stop.store(1, Ordering::Release);
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
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

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        let mut spins = 0;
        while shared.generation.load(Ordering::Acquire) == seen && spins < SPINS {
            spins += 1;
            std::hint::spin_loop();
        }
        let job = {
            let mut job = shared.job.lock().expect("pool lock");
            while shared.generation.load(Ordering::Acquire) == seen {
                job = shared.wake.wait(job).expect("pool lock");
            }
            seen = shared.generation.load(Ordering::Acquire);
            *job
        };
        if shared.stop.load(Ordering::Acquire) != 0 {
            return;
        }
        if let Some(job) = job {
            // SAFETY: `Pool::run` keeps the task alive until this thread has counted itself out.
            take_tasks(shared, unsafe { &*job.task }, job.count);
            shared.working.fetch_sub(1, Ordering::Release);
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

    pub fn pointer(&self) -> *mut T {
        self.start
    }

    /// The elements `offset..offset + length`.
    ///
    /// # Safety
    /// No other part in use at the same time overlaps this one, and the slice outlives it.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn get<'a>(&self, offset: usize, length: usize) -> &'a mut [T] {
        assert!(offset + length <= self.length, "part {offset}+{length} of {}", self.length);
        // SAFETY: in bounds by the assertion; not aliased by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

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
