//! Sampling: requests of any number of callers share the steps of one batch, and the keys and values of what they begin
//! with.

mod choose;
mod pages;
mod scheduler;

pub use choose::{Choice, Picked, choose};
pub use scheduler::{Event, Finish, SampleRequest, Scheduler};
