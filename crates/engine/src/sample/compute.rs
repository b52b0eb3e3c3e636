//! One step through the model, and the tokens that come of it.

use super::choose::{Choice, Picked, check_logits, choose};
use super::memory::KeyValueMemory;
use super::request::SampleRequest;
use super::rows::{Waiter, Work};
use super::scheduler::Scheduler;
use crate::buffers::Buffers;
use crate::gemm::{GemmElement, Rows};
use crate::model::forward::Pass;
use crate::model::linear::stride_of;
use crate::model::tape::{RowSaid, lock};
use crate::ops::head::{Queries, head_forward};
use crate::pool::{Parts, Pool};

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
        let taping = self.taping(work);
        let mut layer = 0;
        pass.layers(&mut x, &mut memory.pages, |layer| layer, !taping.is_empty(), free, &mut |kept, free| {
            taping.iter().for_each(|(tape, placed)| lock(tape).write_layer(pool, layer, &kept, placed));
            layer += 1;
            kept.release(free);
        });
        taping.iter().for_each(|(tape, placed)| lock(tape).write_last(pool, &x, placed));
        for (index, rows) in &work.prompts {
            let request = &mut self.active[*index];
            request.read += rows;
            memory.table.remember(request.version, &request.ask.prompt[..request.read], &request.prompt_pages);
        }
        let mut drawn: Vec<(usize, (Picked, RowSaid))> = Vec::new();
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
            let row = |index: usize| &logits[index * vocabulary..(index + 1) * vocabulary];
            let asks: Vec<RowAsk<'_>> = group.iter().map(|(_, waiter)| self.ask_of(*waiter)).collect();
            let mut answers: Vec<Option<RowAnswer>> = vec![None; group.len()];
            let parts = Parts::new(&mut answers);
            pool.run(group.len(), &|index| {
                let answer = answer(row(index), outputs.log_sums[index], &asks[index]);
                // SAFETY: each task has its own answer.
                unsafe { parts.get(index, 1)[0] = Some(answer) };
            });
            for (index, ((_, waiter), answer)) in group.iter().zip(answers).enumerate() {
                let said = RowSaid {
                    inverse_temperature: inverse[index],
                    log_sum: outputs.log_sums[index],
                    entropy: outputs.entropies[index],
                };
                match (*waiter, answer) {
                    (_, None) => unreachable!("every row was answered"),
                    (waiter, Some(Err(problem))) => failed.push((self.id(waiter), problem)),
                    (Waiter::Sample(at), Some(Ok(picked))) => drawn.extend(picked.map(|picked| (at, (picked, said)))),
                    (Waiter::Prompt(at, _), Some(Ok(_))) => {
                        self.active[at].ready = Some((row(index).to_vec(), said));
                    }
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

    fn ask_of(&self, waiter: Waiter) -> RowAsk<'_> {
        match waiter {
            Waiter::Sample(at) => {
                let (run, request) = (&self.running[at], self.request_of(at));
                let number = request.first_sample + run.sample as u64;
                RowAsk { choice: &request.choice, place: Some((number, run.drawn as u64)) }
            }
            Waiter::Prompt(..) => RowAsk { choice: self.choice(waiter), place: None },
        }
    }
}

/// What is to be done with a row of logits: a token drawn for a sample's number and position, or nothing yet.
struct RowAsk<'a> {
    choice: &'a Choice,
    place: Option<(u64, u64)>,
}

/// The drawn token, or why nothing can be drawn from the row.
type RowAnswer = Result<Option<Picked>, String>;

fn answer(logits: &[f32], log_sum: f64, ask: &RowAsk<'_>) -> RowAnswer {
    check_logits(logits, log_sum, ask.choice)?;
    Ok(ask.place.map(|(number, position)| choose(logits, log_sum, ask.choice, number, position)))
}
