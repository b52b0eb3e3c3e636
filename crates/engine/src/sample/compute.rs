//! One step through the model, and the tokens that come of it.

use super::choose::{Choice, Picked, check_logits, choose};
use super::memory::KeyValueMemory;
use super::request::SampleRequest;
use super::rows::{Waiter, Work};
use super::scheduler::Scheduler;
use crate::gemm::{GemmElement, Rows};
use crate::model::buffers::Buffers;
use crate::model::forward::Pass;
use crate::model::linear::stride_of;
use crate::ops::head::{Queries, head_forward};
use crate::pool::Pool;

/// Rows for which the head runs at a time: bounds the logits kept.
const HEAD_ROWS: usize = 64;

impl<E: GemmElement> Scheduler<E> {
    pub(super) fn compute(
        &mut self,
        memory: &mut KeyValueMemory<E>,
        pool: &Pool,
        work: &Work<E>,
        free: &mut Buffers<E>,
    ) {
        let weights = self.weights.clone();
        let pass = Pass { pool, weights: &weights, batch: &work.batch };
        let mut x = pass.embed(free);
        pass.layers(&mut x, &mut memory.pages, |layer| layer, free, &mut |kept, free| kept.release(free));
        for (index, rows) in &work.prompts {
            let request = &mut self.active[*index];
            request.read += rows;
            memory.table.remember(request.version, &request.ask.prompt[..request.read], &request.prompt_pages);
        }
        let mut drawn: Vec<(usize, Picked)> = Vec::new();
        let mut failed: Vec<(u64, String)> = Vec::new();
        for group in work.heads.chunks(HEAD_ROWS) {
            let vocabulary = weights.layout.config.vocab_size;
            let rows: Vec<u32> = group.iter().map(|head| head.0).collect();
            let hidden = pass.final_norm(&x, &rows, free);
            let inverse: Vec<f32> =
                group.iter().map(|(_, waiter)| self.choice(*waiter).inverse_temperature()).collect();
            let offsets = vec![0; rows.len() + 1];
            let mut logits = free.floats.take(rows.len() * vocabulary);
            let stride = stride_of::<E>(weights.layout.config.hidden_size);
            let hidden_rows = Rows { data: &hidden, rows: rows.len(), stride };
            let queries = Queries { offsets: &offsets, targets: &[] };
            let head = weights.matrix(weights.layout.head());
            let outputs = head_forward(pool, hidden_rows, head, &inverse, &queries, Some(&mut logits));
            for (index, (_, waiter)) in group.iter().enumerate() {
                let row = &logits[index * vocabulary..(index + 1) * vocabulary];
                let log_sum = outputs.log_sums[index];
                if let Err(problem) = check_logits(row, log_sum, self.choice(*waiter)) {
                    failed.push((self.id(*waiter), problem));
                    continue;
                }
                match *waiter {
                    Waiter::Sample(at) => drawn.push((at, self.pick(at, row, log_sum))),
                    Waiter::Prompt(at, _) => self.active[at].ready = Some((row.to_vec(), log_sum)),
                }
            }
            free.floats.give(logits);
            free.elements.give(hidden);
        }
        free.floats.give(x);
        // From the last to the first, since an ended sample is replaced by the last one.
        drawn.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, picked) in drawn {
            self.draw(at, picked, memory);
        }
        for (id, problem) in failed {
            self.fail(id, &problem, memory);
        }
    }

    fn request_of(&self, at: usize) -> &SampleRequest<E> {
        let id = self.running[at].request;
        &self.active.iter().find(|request| request.ask.id == id).expect("a running sample's request").ask
    }

    fn id(&self, waiter: Waiter) -> u64 {
        match waiter {
            Waiter::Sample(at) => self.running[at].request,
            Waiter::Prompt(index, _) => self.active[index].ask.id,
        }
    }

    fn choice(&self, waiter: Waiter) -> &Choice {
        match waiter {
            Waiter::Sample(at) => &self.request_of(at).choice,
            Waiter::Prompt(index, _) => &self.active[index].ask.choice,
        }
    }

    fn pick(&self, at: usize, logits: &[f32], log_sum: f64) -> Picked {
        let (run, request) = (&self.running[at], self.request_of(at));
        choose(logits, log_sum, &request.choice, request.first_sample + run.sample as u64, run.drawn as u64)
    }
}
