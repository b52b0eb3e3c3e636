//! From logits to a token. The draw depends on the seed, the sample's number and the position alone.

use super::truncate::draw_truncated;
use crate::isa::by_isa;
use crate::model::init::uniform_at;
use crate::ops::head::{CHUNK, logprob};
use crate::ops::math::{exp, sum_over};

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// 0: the most likely token.
    pub temperature: f32,
    /// 0: no bound.
    pub top_k: usize,
    /// 1: no bound.
    pub top_p: f32,
    /// 0: no bound.
    pub min_p: f32,
    pub seed: u64,
    /// Added to the logits before they are tempered. Changes what is drawn, not the log-probabilities that are recorded.
    pub bias: Vec<(u32, f32)>,
    /// How many of the most likely tokens to report at each position.
    pub top_logprobs: usize,
}

/// A drawn token and its log-probability under the tempered distribution before truncation and bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    pub token: u32,
    pub logprob: f32,
    pub top: Vec<(u32, f32)>,
}

impl Choice {
    /// What the logits are multiplied by; greedy choice records the distribution at temperature 1.
    pub fn inverse_temperature(&self) -> f32 {
        if self.temperature == 0.0 { 1.0 } else { 1.0 / self.temperature }
    }

    pub(super) fn truncates(&self) -> bool {
        self.top_k > 0 || self.top_p < 1.0 || self.min_p > 0.0
    }
}

by_isa! {
    fn mass(logits: &[f32], inverse_temperature: f32, log_sum: f32) -> f32 {
        sum_over([logits], |[logit]| exp::<FMA>(logit * inverse_temperature - log_sum))
    }
}

/// Refuses logits from which nothing can be drawn. `log_sum`: the logarithm of their tempered softmax's denominator.
pub(super) fn check_logits(logits: &[f32], log_sum: f64, choice: &Choice) -> Result<(), String> {
    if log_sum.is_finite() {
        return Ok(());
    }
    if logits.iter().all(|logit| logit.is_finite()) {
        let t = choice.temperature;
        let problem = format!("sample: temperature {t} is too small: the model's logits overflow when divided by it");
        return Err(format!("{problem}. Use 0 for the most likely token"));
    }
    Err("the model's logits are not finite: the weights hold NaN or infinity".to_string())
}

/// Draws from the logits of one row, which must have passed `check_logits`, given the logarithm of their tempered softmax's denominator.
pub fn choose(logits: &[f32], log_sum: f64, choice: &Choice, sample: u64, position: u64) -> Picked {
    let t = choice.inverse_temperature();
    let u = uniform_at(choice.seed, [sample, position]);
    let token = if choice.bias.is_empty() && !choice.truncates() {
        if choice.temperature == 0.0 { most_likely(logits) } else { by_mass(logits, t, log_sum, u) }
    } else {
        let mut biased = logits.to_vec();
        for (token, bias) in &choice.bias {
            biased[*token as usize] += bias;
        }
        if choice.temperature == 0.0 { most_likely(&biased) } else { draw_truncated(&biased, t, choice, u) }
    };
    let at = |token: u32| logprob(logits[token as usize], t, log_sum);
    let top = most_likely_tokens(logits, choice.top_logprobs).into_iter().map(|token| (token, at(token))).collect();
    Picked { token, logprob: at(token), top }
}

pub(super) fn most_likely(logits: &[f32]) -> u32 {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }) as u32
}

/// Sum of exp(logit * t - shift), chunk by chunk.
pub(super) fn mass_of(logits: &[f32], t: f32, shift: f32) -> f64 {
    logits.chunks(CHUNK).map(|chunk| f64::from(mass(chunk, t, shift))).sum()
}

/// The first token at which the cumulative probability exceeds `u`: chunk by chunk, then within.
pub(super) fn by_mass(logits: &[f32], t: f32, log_sum: f64, u: f64) -> u32 {
    let mut below = 0.0;
    for (index, chunk) in logits.chunks(CHUNK).enumerate() {
        let mass = f64::from(mass(chunk, t, log_sum as f32));
        if below + mass > u {
            let mut cumulative = below;
            for (offset, logit) in chunk.iter().enumerate() {
                cumulative += f64::from(exp::<false>(logit * t - log_sum as f32));
                if cumulative > u {
                    return (index * CHUNK + offset) as u32;
                }
            }
        }
        below += mass;
    }
    // Rounding left the total below u: the draw fell on the very end of the distribution.
    let last = logits.iter().rposition(|logit| f64::from(logit * t) - log_sum > -80.0);
    last.map_or_else(|| most_likely(logits), |last| last as u32)
}

fn most_likely_tokens(logits: &[f32], count: usize) -> Vec<u32> {
    if count == 0 {
        return Vec::new();
    }
    let count = count.min(logits.len());
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    let larger = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if count < tokens.len() {
        tokens.select_nth_unstable_by(count - 1, larger);
        tokens.truncate(count);
    }
    tokens.sort_unstable_by(larger);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(seed: u64) -> Choice {
        Choice { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed, bias: Vec::new(), top_logprobs: 0 }
    }

    fn log_sum(logits: &[f32], t: f32) -> f64 {
        logits.iter().map(|logit| f64::from(logit * t).exp()).sum::<f64>().ln()
    }

    fn frequencies(choice: &Choice, logits: &[f32]) -> Vec<f64> {
        let mut counts = vec![0.0; logits.len()];
        let sum = log_sum(logits, choice.inverse_temperature());
        for sample in 0..20_000 {
            counts[choose(logits, sum, choice, sample, 3).token as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn draws_follow_the_tempered_distribution() {
        let logits: Vec<f32> = (0..700).map(|i| if i % 100 == 0 { 3.0 } else { -4.0 }).collect();
        for temperature in [0.5, 1.0, 2.0] {
            let choice = Choice { temperature, ..plain(1) };
            let sum = log_sum(&logits, 1.0 / temperature);
            let got = frequencies(&choice, &logits);
            for i in (0..700).step_by(100) {
                let want = (f64::from(logits[i] / temperature) - sum).exp();
                assert!((got[i] - want).abs() < 0.012, "{temperature}: {} for {want}", got[i]);
            }
        }
    }

    #[test]
    fn truncation_keeps_what_it_says() {
        let logits = [2.0, 1.0, 0.0, -1.0, -8.0];
        let support = |choice: Choice| frequencies(&choice, &logits).iter().filter(|&&f| f > 0.0).count();
        assert_eq!(support(Choice { top_k: 2, ..plain(2) }), 2);
        assert_eq!(support(Choice { top_p: 0.6, ..plain(2) }), 1);
        assert_eq!(support(Choice { top_p: 0.7, ..plain(2) }), 2);
        assert_eq!(support(Choice { min_p: 0.1, ..plain(2) }), 3);
        assert_eq!(support(Choice { temperature: 0.0, ..plain(2) }), 1);
        assert_eq!(support(Choice { bias: vec![(0, f32::NEG_INFINITY)], top_k: 1, ..plain(2) }), 1);
    }

    #[test]
    fn bias_changes_the_draw_and_not_the_recorded_logprob() {
        let logits = [2.0, 1.0, 0.0];
        let sum = log_sum(&logits, 1.0);
        let choice = Choice { temperature: 0.0, bias: vec![(2, 50.0)], top_logprobs: 2, ..plain(0) };
        let picked = choose(&logits, sum, &choice, 0, 0);
        assert_eq!(picked.token, 2);
        assert!((f64::from(picked.logprob) + sum).abs() < 1e-6);
        assert_eq!(picked.top.iter().map(|top| top.0).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn where_truncation_leaves_nothing_the_most_likely_token_is_drawn() {
        let logits = [2.0, 1.0, 0.0];
        let draw = |choice: Choice| choose(&logits, log_sum(&logits, 1.0), &choice, 0, 0).token;
        assert_eq!(draw(Choice { bias: vec![(1, f32::INFINITY)], ..plain(0) }), 1);
        let nothing = (0..3).map(|token| (token, f32::NEG_INFINITY)).collect();
        assert_eq!(draw(Choice { bias: nothing, top_k: 2, ..plain(0) }), 0);
        for truncation in
            [Choice { top_k: 2, ..plain(0) }, Choice { min_p: 0.5, ..plain(0) }, Choice { top_p: 0.1, ..plain(0) }]
        {
            let choice = Choice { temperature: 1e-30, ..truncation };
            assert_eq!(choose(&logits, 2e30, &choice, 0, 0).token, 0);
        }
    }

    #[test]
    fn logits_that_are_not_finite_are_told_from_a_temperature_that_is_too_small() {
        let check = |logits: &[f32], log_sum, temperature| {
            check_logits(logits, log_sum, &Choice { temperature, ..plain(0) }).unwrap_err()
        };
        assert!(check(&[1.0, f32::NAN], f64::NAN, 1.0).contains("weights hold NaN"));
        assert!(check(&[1.0, f32::INFINITY], f64::NAN, 1.0).contains("weights hold NaN"));
        assert!(check(&[1.0, 2.0], f64::INFINITY, 1e-39).contains("too small"));
        assert!(check_logits(&[1.0, f32::NEG_INFINITY], 1.0, &plain(0)).is_ok());
    }
}
