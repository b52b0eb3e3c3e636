//! Drawing from what top-k, then top-p, then min-p leave of a distribution. All three keep the most likely tokens, so only as
//! many tokens are put in order as are kept: the vocabulary is never sorted.

use super::choose::{Choice, by_mass, mass_of, most_likely};

/// Logarithm of the weight, as a share of the largest, below which a token is never drawn.
const NEGLIGIBLE: f64 = -60.0;

/// Tokens that are put in order at first; four times as many each time that they do not suffice.
const FIRST_RUN: usize = 64;

/// Draws a token at `u`, in [0, 1), of the cumulative probability. Where nothing is left, or a bias made the largest logit
/// infinite so that no token has a weight beside it, the most likely token is drawn.
pub(super) fn draw_truncated(logits: &[f32], t: f32, choice: &Choice, u: f64) -> u32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !(max * t).is_finite() {
        return most_likely(logits);
    }
    if !choice.truncates() {
        return by_mass(logits, t, f64::from(max * t) + mass_of(logits, t, max * t).ln(), u);
    }
    let exponent = |token: u32| (f64::from(logits[token as usize]) - f64::from(max)) * f64::from(t);
    let kept = kept(logits, t, max, choice, &exponent);
    let target = u * kept.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut cumulative = 0.0;
    let found = kept.iter().find(|(_, weight)| {
        cumulative += weight;
        cumulative > target
    });
    found.or(kept.last()).map_or_else(|| most_likely(logits), |(token, _)| *token)
}

/// The tokens that truncation leaves with their weights, the most likely first.
fn kept(logits: &[f32], t: f32, max: f32, choice: &Choice, exponent: &dyn Fn(u32) -> f64) -> Vec<(u32, f64)> {
    let likely = (0..logits.len() as u32).filter(|&token| exponent(token) > NEGLIGIBLE);
    let mut tokens: Vec<u64> = likely.map(|token| rank_key(logits[token as usize], token)).collect();
    let most = if choice.top_k > 0 { choice.top_k.min(tokens.len()) } else { tokens.len() };
    let total = if choice.top_k == 0 { mass_of(logits, t, max * t) } else { 0.0 };
    let mut bound = if choice.top_p < 1.0 { f64::from(choice.top_p) * total } else { f64::INFINITY };
    let (mut kept, mut cumulative): (Vec<(u32, f64)>, f64) = (Vec::new(), 0.0);
    let mut run = if choice.top_k > 0 { most } else { FIRST_RUN };
    while kept.len() < most {
        let rest = &mut tokens[kept.len()..];
        run = run.min(rest.len());
        if run < rest.len() {
            rest.select_nth_unstable(run - 1);
        }
        let ordered = &mut rest[..run];
        ordered.sort_unstable();
        if choice.top_k > 0 && choice.top_p < 1.0 {
            bound = f64::from(choice.top_p) * ordered.iter().map(|&key| exponent(key as u32).exp()).sum::<f64>();
        }
        for token in ordered.iter().map(|&key| key as u32) {
            let weight = exponent(token).exp();
            if weight < f64::from(choice.min_p) {
                return kept;
            }
            kept.push((token, weight));
            cumulative += weight;
            if cumulative >= bound {
                return kept;
            }
        }
        run *= 4;
    }
    kept
}

/// A number that is smaller for a larger logit, and for the smaller of two tokens with the same; its lower half is the token.
fn rank_key(logit: f32, token: u32) -> u64 {
    let bits = logit.to_bits();
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!rising) << 32 | u64::from(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::init::Random;

    fn choice(top_k: usize, top_p: f32, min_p: f32) -> Choice {
        Choice { temperature: 1.0, top_k, top_p, min_p, seed: 0, bias: Vec::new(), top_logprobs: 0 }
    }

    /// The definition: the whole vocabulary in order, cut three times.
    fn reference(logits: &[f32], t: f32, choice: &Choice, u: f64) -> u32 {
        let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let weight = |token: &u32| ((f64::from(logits[*token as usize]) - max) * f64::from(t)).exp();
        let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
        tokens.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
        tokens.truncate(if choice.top_k > 0 { choice.top_k } else { tokens.len() });
        if choice.top_p < 1.0 {
            let total: f64 = tokens.iter().map(weight).sum();
            let mut cumulative = 0.0;
            let last = tokens.iter().position(|token| {
                cumulative += weight(token);
                cumulative >= f64::from(choice.top_p) * total
            });
            tokens.truncate(last.map_or(tokens.len(), |last| last + 1));
        }
        tokens.retain(|token| weight(token) >= f64::from(choice.min_p));
        let target = u * tokens.iter().map(weight).sum::<f64>();
        let mut cumulative = 0.0;
        let drawn = tokens.iter().find(|token| {
            cumulative += weight(token);
            cumulative > target
        });
        *drawn.unwrap_or(&tokens[tokens.len() - 1])
    }

    #[test]
    fn draws_what_ordering_the_whole_vocabulary_would_draw() {
        let mut random = Random::new(3);
        for scale in [0.3, 2.0, 8.0] {
            let logits: Vec<f32> = (0..5000).map(|_| random.normal() * scale).collect();
            for (top_k, top_p, min_p) in [
                (0, 0.9, 0.0),
                (0, 0.3, 0.0),
                (7, 1.0, 0.0),
                (900, 0.8, 0.0),
                (0, 1.0, 0.02),
                (300, 0.95, 0.1),
                (9999, 1.0, 0.0),
            ] {
                for draw in 0..20 {
                    let (choice, t) = (choice(top_k, top_p, min_p), [0.5, 1.0, 1.7][draw % 3]);
                    let u = f64::from(random.uniform());
                    let (got, want) = (draw_truncated(&logits, t, &choice, u), reference(&logits, t, &choice, u));
                    assert_eq!(got, want, "scale {scale}, {choice:?}, t {t}, u {u}");
                }
            }
        }
    }
}
