//! One thread that computes for every model: jobs in the order they come, and between them the steps of samplers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::{Error, Result};

/// Something with samples in flight.
pub trait Sampler: Send {
    /// One step; false when nothing is left.
    fn step(&mut self) -> bool;
    /// Ends everything in flight with an error, after a panic.
    fn fail(&mut self, problem: &str);
}

type Shared = Arc<Mutex<dyn Sampler>>;

enum Message {
    Job(Box<dyn FnOnce() + Send>),
    Sampler(Shared),
}

/// The handle by which other threads give work to the engine's.
#[derive(Clone)]
pub struct Runtime(Sender<Message>);

impl Default for Runtime {
    fn default() -> Self {
        Self::start()
    }
}

impl Runtime {
    /// Starts the engine's thread; it ends with the last handle.
    pub fn start() -> Self {
        let (sender, receiver) = channel();
        std::thread::Builder::new().name("whetstone-engine".into()).spawn(move || serve(&receiver)).expect("a thread");
        Self(sender)
    }

    /// Runs `work` on the engine's thread and hands its result to `done`. A panic becomes an error.
    pub fn submit<T: 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let job = move || done(catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(explain(&*panic))));
        // A send fails only when the thread is gone, which ends with the process.
        let _ = self.0.send(Message::Job(Box::new(job)));
    }

    /// Steps a sampler until it has nothing left.
    pub fn run_sampler(&self, sampler: Shared) {
        let _ = self.0.send(Message::Sampler(sampler));
    }
}

/// What a panic says, as an error.
pub fn explain(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::new(format!(
        "the engine failed inside: {}. This is a defect of whetstone; please report it",
        said.unwrap_or("no message")
    ))
}

fn serve(receiver: &Receiver<Message>) {
    let mut samplers: Vec<Shared> = Vec::new();
    loop {
        let message = if samplers.is_empty() {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            receiver.recv_timeout(Duration::ZERO)
        };
        match message {
            Ok(Message::Job(job)) => {
                job();
                continue;
            }
            Ok(Message::Sampler(sampler)) => {
                if !samplers.iter().any(|known| Arc::ptr_eq(known, &sampler)) {
                    samplers.push(sampler);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        samplers.retain(|sampler| {
            let mut sampler = sampler.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(|| sampler.step())).unwrap_or_else(|panic| {
                sampler.fail(&explain(&*panic).to_string());
                false
            })
        });
    }
}
