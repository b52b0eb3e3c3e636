//! Sampling: requests of any number of callers share the steps of one batch, and the keys and values of what they begin
//! with.

mod admission;
mod choose;
mod compute;
mod memory;
mod pages;
mod request;
mod rows;
mod scheduler;
mod taping;
mod truncate;

pub use choose::{Choice, Picked, choose};
pub use memory::{KeyValueMemory, Version};
pub use request::{Event, Finish, SampleRequest};
pub use scheduler::Scheduler;

#[cfg(test)]
mod tests;
