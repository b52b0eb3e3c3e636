//! Which requests and samples are in flight: each begins when its pages are promised to it, and gives them back at its end.

use super::choose::{Picked, choose};
use super::memory::KeyValueMemory;
use super::request::{Event, Finish, Running, SampleRequest};
use super::scheduler::Scheduler;
use crate::gemm::GemmElement;
use crate::model::tape::{RowSaid, lock};
use crate::ops::pages::PAGE;

impl<E: GemmElement> Scheduler<E> {
    /// Pages that one sample adds to its prompt's, at most.
    pub(super) fn sample_pages(&self, ask: &SampleRequest<E>) -> usize {
        let end = (ask.prompt.len() + ask.max_tokens).min(self.weights.layout.config.max_position);
        end.div_ceil(PAGE) - ask.prompt.len() / PAGE
    }

    /// Takes the request that has waited longest if its prompt and one sample fit. Gives back whether it was taken.
    pub fn admit(&mut self, memory: &mut KeyValueMemory<E>) -> bool {
        let Some(request) = self.waiting.front() else { return false };
        let prompt = &request.ask.prompt;
        // The last position is always computed, since its logits are needed.
        let found = memory.table.lookup(request.version, &prompt[..prompt.len() - 1]);
        let idle = found.iter().filter(|&&page| memory.table.is_idle(page)).count();
        let fresh = prompt.len().div_ceil(PAGE) - found.len();
        let sample_pages = self.sample_pages(&request.ask);
        if fresh + idle + sample_pages > memory.room() {
            return false;
        }
        let Some(mut request) = self.waiting.pop_front() else { return false };
        found.iter().for_each(|&page| memory.table.share(page));
        request.read = found.len() * PAGE;
        request.prompt_pages = found;
        request.prompt_pages.extend((0..fresh).map(|_| memory.take()));
        memory.reserved += sample_pages;
        request.holds_first = true;
        self.active.push(request);
        true
    }

    /// Starts samples of prompts that have been read, as far as there is room.
    pub fn start_samples(&mut self, memory: &mut KeyValueMemory<E>) {
        for index in 0..self.active.len() {
            loop {
                let request = &self.active[index];
                let Some((logits, said)) = &request.ready else { break };
                let sample = request.next_sample;
                if sample == request.ask.count {
                    break;
                }
                if request.ended[sample] {
                    self.active[index].next_sample += 1;
                    continue;
                }
                let needed = self.sample_pages(&request.ask);
                if !request.holds_first && needed > memory.room() {
                    break;
                }
                let number = request.ask.first_sample + sample as u64;
                let (picked, said) = (choose(logits, said.log_sum, &request.ask.choice, number, 0), *said);
                if !request.holds_first {
                    memory.reserved += needed;
                }
                self.start(index, sample, needed, (picked, said), memory);
            }
        }
    }

    fn start(
        &mut self,
        index: usize,
        sample: usize,
        reserved: usize,
        picked: (Picked, RowSaid),
        memory: &mut KeyValueMemory<E>,
    ) {
        let length = self.active[index].ask.prompt.len();
        let mut pages = self.active[index].prompt_pages.clone();
        let partial = (!length.is_multiple_of(PAGE)).then(|| pages.pop()).flatten();
        pages.iter().for_each(|&page| memory.table.share(page));
        let mut run = Running {
            request: self.active[index].ask.id,
            sample,
            tokens: self.active[index].ask.prompt.clone(),
            pages,
            cursor: self.active[index].cursor,
            drawn: 0,
            reserved,
        };
        if let Some(partial) = partial {
            // The page in which the prompt ends is copied, since the samples go on in it.
            let own = memory.take();
            memory.reserved -= 1;
            run.reserved -= 1;
            memory.pages.copy(partial as usize, own as usize);
            run.pages.push(own);
        }
        let request = &mut self.active[index];
        request.holds_first = false;
        request.next_sample += 1;
        self.running.push(run);
        self.draw(self.running.len() - 1, picked, memory);
    }

    /// Gives a running sample its token, drawn from a row of which the head says `said`, and ends it where that was the last.
    pub(super) fn draw(&mut self, at: usize, (picked, said): (Picked, RowSaid), memory: &mut KeyValueMemory<E>) {
        let run = &mut self.running[at];
        let Some(request) = self.active.iter_mut().find(|request| request.ask.id == run.request) else { return };
        if let Some(tape) = &request.ask.tape {
            lock(tape).say(&run.cursor, run.tokens.len(), said, picked.token, picked.logprob);
        }
        run.tokens.push(picked.token);
        run.drawn += 1;
        let stopped = request.ask.stop_tokens.contains(&picked.token);
        let full = run.drawn >= request.ask.max_tokens || run.tokens.len() >= self.weights.layout.config.max_position;
        (request.ask.on_event)(Event::Token(run.sample, picked));
        if stopped || full {
            self.finish(at, if stopped { Finish::Stop } else { Finish::Length }, memory);
        }
    }

    pub(super) fn finish(&mut self, at: usize, reason: Finish, memory: &mut KeyValueMemory<E>) {
        let run = self.running.swap_remove(at);
        memory.reserved -= run.reserved;
        if let Some(request) = self.active.iter_mut().find(|request| request.ask.id == run.request) {
            let known = run.tokens.len() - 1;
            memory.table.remember(request.version, &run.tokens[..known], &run.pages);
            request.end(run.sample, reason);
        }
        memory.release(&run.pages);
    }

    /// Ends a request with an error; the others go on.
    pub(super) fn fail(&mut self, id: u64, problem: &str, memory: &mut KeyValueMemory<E>) {
        while let Some(at) = self.running.iter().position(|run| run.request == id) {
            let run = self.running.swap_remove(at);
            memory.reserved -= run.reserved;
            memory.release(&run.pages);
        }
        if let Some(request) = self.active.iter_mut().find(|request| request.ask.id == id) {
            request.fail(problem);
        }
    }

    /// Lets requests go whose samples have all ended.
    pub(super) fn retire(&mut self, memory: &mut KeyValueMemory<E>) {
        let mut index = 0;
        while index < self.active.len() {
            if !self.active[index].is_over() {
                index += 1;
                continue;
            }
            let request = self.active.remove(index);
            if request.holds_first {
                memory.reserved -= self.sample_pages(&request.ask);
            }
            memory.release(&request.prompt_pages);
        }
    }
}
