//! What the head said of rows when tokens were drawn after them.

use super::{Cursor, Tape};
use crate::gemm::GemmElement;
use crate::ops::head::{HeadOutputs, Queries};

/// What the head says of a row, whichever token is asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSaid {
    pub inverse_temperature: f32,
    /// Logarithm of the softmax's denominator.
    pub log_sum: f64,
    pub entropy: f32,
}

/// That, and of the tokens drawn after the row their log-probabilities.
pub(super) struct Said {
    of_row: RowSaid,
    drawn: Vec<(u32, f32)>,
}

impl<E: GemmElement> Tape<E> {
    /// Keeps what was said when a token was drawn after `length` others, which `cursor` follows. Without the row of the last of them there is
    /// nothing to keep it with.
    pub fn say(&mut self, cursor: &Cursor, length: usize, of_row: RowSaid, token: u32, logprob: f32) {
        if cursor.filling != self.filling || cursor.position != length {
            return;
        }
        let said = self.said.entry(cursor.row).or_insert_with(|| Said { of_row, drawn: Vec::new() });
        if said.of_row.inverse_temperature != of_row.inverse_temperature {
            *said = Said { of_row, drawn: Vec::new() };
        }
        if said.drawn.iter().all(|(known, _)| *known != token) {
            said.drawn.push((token, logprob));
        }
    }

    /// What was said of rows, each at that temperature, if all that is asked was.
    pub fn said(&self, rows: &[u32], inverse_temperature: f32, queries: &Queries<'_>) -> Option<HeadOutputs> {
        let mut outputs = HeadOutputs { log_sums: Vec::new(), entropies: Vec::new(), logprobs: Vec::new() };
        for (index, row) in rows.iter().enumerate() {
            let Said { of_row, drawn } = self.said.get(row)?;
            if of_row.inverse_temperature != inverse_temperature {
                return None;
            }
            outputs.log_sums.push(of_row.log_sum);
            outputs.entropies.push(of_row.entropy);
            for target in &queries.targets[queries.offsets[index]..queries.offsets[index + 1]] {
                let &(_, logprob) = drawn.iter().find(|(token, _)| token == target)?;
                outputs.logprobs.push(logprob);
            }
        }
        Some(outputs)
    }
}

#[cfg(test)]
impl<E: GemmElement> Tape<E> {
    /// Makes every log-probability less by 1.
    pub fn misremember(&mut self) {
        self.said.values_mut().flat_map(|said| &mut said.drawn).for_each(|(_, logprob)| *logprob -= 1.0);
    }
}
