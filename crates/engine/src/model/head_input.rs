//! Which rows of a micro-batch the head is asked about, and what of each: sequences that share a row ask it once.

use crate::buffers::{Buffer, Buffers};
use crate::gemm::GemmElement;
use crate::model::forward::Pass;
use crate::model::train::{Ask, NO_TARGET, Sequence, TokenOutputs};
use crate::ops::head::HeadOutputs;

/// The rows that are asked anything, and what.
pub struct HeadInput<E> {
    /// Rows of the batch, ascending.
    pub rows: Vec<u32>,
    /// Those rows of the last layer's output, normalised.
    pub hidden: Buffer<E>,
    /// Where each row's targets begin in `targets`, and where the last one's end.
    pub offsets: Vec<usize>,
    pub targets: Vec<u32>,
    /// For each sequence and position, the query and the head row.
    pub places: Vec<Vec<Option<(u32, u32)>>>,
}

impl<E: GemmElement> HeadInput<E> {
    /// `sequence_rows`: for each sequence, the row of each position. `x`: the last layer's output, [rows, hidden].
    pub fn of(
        pass: &Pass<'_, E>,
        sequences: &[Sequence],
        sequence_rows: &[Vec<u32>],
        row_count: usize,
        x: &[f32],
        free: &mut Buffers<E>,
    ) -> Self {
        let mut by_row: Vec<Vec<u32>> = vec![Vec::new(); row_count];
        for (sequence, rows) in sequences.iter().zip(sequence_rows) {
            for (&target, &row) in sequence.target.iter().zip(rows) {
                if target != NO_TARGET && !by_row[row as usize].contains(&(target as u32)) {
                    by_row[row as usize].push(target as u32);
                }
            }
        }
        let (mut rows, mut offsets, mut targets) = (Vec::new(), vec![0], Vec::new());
        let mut head_row = vec![u32::MAX; row_count];
        for (row, asked) in by_row.iter().enumerate().filter(|(_, asked)| !asked.is_empty()) {
            head_row[row] = rows.len() as u32;
            rows.push(row as u32);
            targets.extend_from_slice(asked);
            offsets.push(targets.len());
        }
        let place = |target: i32, row: u32| {
            let head = head_row[row as usize];
            (target != NO_TARGET).then(|| {
                let first = offsets[head as usize];
                let asked = &by_row[row as usize];
                let query = asked.iter().position(|&token| token == target as u32).expect("an asked target");
                ((first + query) as u32, head)
            })
        };
        let places = sequences
            .iter()
            .zip(sequence_rows)
            .map(|(sequence, rows)| {
                sequence.target.iter().zip(rows).map(|(&target, &row)| place(target, row)).collect()
            })
            .collect();
        let hidden = pass.final_norm(x, &rows, free);
        Self { rows, hidden, offsets, targets, places }
    }

    /// What was said of the head's rows, by sequence and position. `values` has one number for each row.
    pub fn by_sequence(&self, outputs: &HeadOutputs, ask: Ask, values: Option<&[f32]>) -> TokenOutputs {
        let pick = |value: &dyn Fn(u32, u32) -> f32| -> Vec<Vec<f32>> {
            let of = |place: &Option<(u32, u32)>| place.map_or(0.0, |(query, row)| value(query, row));
            self.places.iter().map(|places| places.iter().map(of).collect()).collect()
        };
        TokenOutputs {
            logprobs: pick(&|query, _| outputs.logprobs[query as usize]),
            entropy: ask.entropy.then(|| pick(&|_, row| outputs.entropies[row as usize])),
            values: values.map(|values| pick(&|_, row| values[row as usize])),
        }
    }

    /// The other way round: what is given by sequence and position, summed over those that share a query or a row. Gradients of each query's
    /// log-probability, of each row's entropy and of its value.
    pub fn gradients(&self, given: &TokenOutputs) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let count = self.rows.len();
        let mut d_logprobs = vec![0.0; self.targets.len()];
        let (mut d_entropies, mut d_values) = (vec![0.0; count], vec![0.0; count]);
        for (index, places) in self.places.iter().enumerate() {
            for (position, place) in places.iter().enumerate() {
                let Some((query, row)) = *place else { continue };
                d_logprobs[query as usize] += given.logprobs[index][position];
                d_entropies[row as usize] += given.entropy.as_ref().map_or(0.0, |all| all[index][position]);
                d_values[row as usize] += given.values.as_ref().map_or(0.0, |all| all[index][position]);
            }
        }
        (d_logprobs, d_entropies, d_values)
    }
}
