//! The softmax of one row of scores, in two passes over them.

use std::ops::Range;

use crate::element::Element;
use crate::ops::math::{LANES, exp, fold, max};

/// All bits, then none: sixteen from place `LANES - k` on are a mask of the first `k` lanes.
const MASKS: [u32; 2 * LANES] = {
    let mut masks = [0; 2 * LANES];
    let mut lane = 0;
    while lane < LANES {
        masks[lane] = u32::MAX;
        lane += 1;
    }
    masks
};

/// Which of the lanes from `start` on lie in a range.
#[inline(always)]
fn within(range: &Range<usize>, start: usize) -> [u32; LANES] {
    let below = |end: usize| {
        let count = end.saturating_sub(start).min(LANES);
        MASKS[LANES - count..].first_chunk().copied().unwrap_or_default()
    };
    let (before, mut lanes): ([u32; LANES], [u32; LANES]) = (below(range.start), below(range.end));
    for lane in 0..LANES {
        lanes[lane] &= !before[lane];
    }
    lanes
}

/// The weights of some lanes before rounding, and their addition to `sums`.
#[inline(always)]
fn weigh<const FMA: bool>(
    scores: &[f32; LANES],
    (scale, max): (f32, f32),
    seen: [u32; LANES],
    sums: &mut [f32; LANES],
) -> [f32; LANES] {
    let (mut weights, mut added) = ([0.0f32; LANES], *sums);
    for lane in 0..LANES {
        let weight = exp::<FMA>(scores[lane] * scale - max);
        weights[lane] = f32::from_bits(weight.to_bits() & seen[lane]);
    }
    // Adding a zero to a sum of exponentials changes no bit.
    for lane in 0..LANES {
        added[lane] += weights[lane];
    }
    *sums = added;
    weights
}

/// Turns the scores of the keys that a row sees into the weights exp(score * scale - max), rounded; keys beyond weigh nothing.
/// Gives back (max, sum), the sum before rounding. `scores` and `weights`: [columns], a multiple of `LANES`; `scale` is positive.
///
/// The order of the sum is that of `sum_over` over the seen scores alone, wherever in the row they begin. Lanes that are not seen are
/// masked and not left out, so that every row of a tile takes the same steps.
#[inline(always)]
pub fn softmax_row<E: Element, const FMA: bool>(
    scores: &[f32],
    seen: Range<usize>,
    scale: f32,
    weights: &mut [E],
) -> (f32, f32) {
    let (scores, _) = scores.as_chunks::<LANES>();
    let (weights, _) = weights.as_chunks_mut::<LANES>();
    let weights = &mut weights[..scores.len()];
    let whole = seen.start.div_ceil(LANES)..seen.end / LANES;
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for (index, scores) in scores.iter().enumerate() {
        let mut part = *scores;
        if !whole.contains(&index) {
            let seen = within(&seen, index * LANES);
            for lane in 0..LANES {
                let bits = part[lane].to_bits() & seen[lane] | f32::NEG_INFINITY.to_bits() & !seen[lane];
                part[lane] = f32::from_bits(bits);
            }
        }
        for lane in 0..LANES {
            lanes[lane] = max(lanes[lane], part[lane]);
        }
    }
    // Rounding is monotonic, so the largest scaled score is the largest score, scaled.
    let max = fold(lanes, max) * scale;
    let mut sums = [0.0f32; LANES];
    for index in 0..scores.len() {
        let part = if whole.contains(&index) {
            weigh::<FMA>(&scores[index], (scale, max), [u32::MAX; LANES], &mut sums)
        } else {
            weigh::<FMA>(&scores[index], (scale, max), within(&seen, index * LANES), &mut sums)
        };
        let mut rounded = [E::default(); LANES];
        for lane in 0..LANES {
            rounded[lane] = E::from_f32(part[lane]);
        }
        weights[index] = rounded;
    }
    // `sum_over` counts its lanes from the first score that is seen.
    if !seen.start.is_multiple_of(LANES) {
        sums.rotate_left(seen.start % LANES);
    }
    (max, fold(sums, |a, b| a + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::isa::by_isa;
    use crate::ops::math::{max_of, sum_over};

    by_isa! {
        fn two_passes(scores: &[f32], seen: Range<usize>, scale: f32, weights: &mut [Bf16]) -> (f32, f32) {
            softmax_row::<Bf16, FMA>(scores, seen, scale, weights)
        }
    }

    by_isa! {
        fn step_by_step(scores: &[f32], seen: Range<usize>, scale: f32, weights: &mut [Bf16]) -> (f32, f32) {
            let mut scaled: Vec<f32> = scores[seen.clone()].iter().map(|score| score * scale).collect();
            let max = max_of(scaled.len(), |i| scaled[i]);
            scaled.iter_mut().for_each(|score| *score = exp::<FMA>(*score - max));
            weights.fill(Bf16::default());
            for (weight, exact) in weights[seen].iter_mut().zip(&scaled) {
                *weight = Bf16::from_f32(*exact);
            }
            (max, sum_over([&scaled], |[score]| score))
        }
    }

    #[test]
    fn every_range_of_keys_gives_the_bits_of_a_softmax_step_by_step() {
        let columns = 6 * LANES;
        let scores: Vec<f32> = (0..columns).map(|i| ((i * 7919) % 1009) as f32 * 0.37 - 150.0).collect();
        let (mut got, mut want) = (vec![Bf16(7); columns], vec![Bf16(9); columns]);
        for start in 0..columns {
            for end in start + 1..=columns {
                let (max, sum) = two_passes(&scores, start..end, 0.125, &mut got);
                let (wanted_max, wanted_sum) = step_by_step(&scores, start..end, 0.125, &mut want);
                assert_eq!(
                    (max.to_bits(), sum.to_bits()),
                    (wanted_max.to_bits(), wanted_sum.to_bits()),
                    "{start}..{end}"
                );
                assert_eq!(got, want, "{start}..{end}");
            }
        }
    }
}
