//! Which rows of a step go on a tape.

use std::sync::Arc;

use super::rows::{Waiter, Work};
use super::scheduler::Scheduler;
use crate::gemm::GemmElement;
use crate::model::tape::{SharedTape, TapedRow, lock};

impl<E: GemmElement> Scheduler<E> {
    /// The tapes of a step's requests with their rows, where there are some.
    pub(super) fn taping(&mut self, work: &Work<E>) -> Vec<(SharedTape<E>, Vec<TapedRow>)> {
        let mut taping: Vec<(SharedTape<E>, Vec<TapedRow>)> = Vec::new();
        for (span, waiter) in work.batch.spans.iter().zip(&work.waiters) {
            let of_sample = |at: usize| {
                let id = self.running[at].request;
                self.active.iter().position(|request| request.ask.id == id).expect("a running sample's request")
            };
            let index = match *waiter {
                Waiter::Sample(at) => of_sample(at),
                Waiter::Prompt(index, _) => index,
            };
            let request = &mut self.active[index];
            let Some(tape) = &request.ask.tape else { continue };
            let (cursor, tokens) = match *waiter {
                Waiter::Sample(at) => {
                    let run = &mut self.running[at];
                    (&mut run.cursor, &run.tokens)
                }
                Waiter::Prompt(..) => (&mut request.cursor, &request.ask.prompt),
            };
            let known = taping.iter().position(|(known, _)| Arc::ptr_eq(known, tape));
            let known = known.unwrap_or_else(|| {
                taping.push((Arc::clone(tape), Vec::new()));
                taping.len() - 1
            });
            let version = (request.version.weights, request.version.adapter);
            let (tokens, placed) = (&tokens[..span.end()], &mut taping[known].1);
            lock(tape).place(version, cursor, tokens, span.start, span.first_row, placed);
        }
        taping.retain(|(_, placed)| !placed.is_empty());
        taping
    }
}
