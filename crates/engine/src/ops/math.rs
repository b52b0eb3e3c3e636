//! Elementary functions and reductions with a fixed order, in a form that the compiler vectorises.

use crate::isa::{by_isa, fma};

/// Lanes of a reduction: sums run in 16 interleaved chains, then pairwise. The same on every path and length.
pub const LANES: usize = 16;

/// e^x within 2 ulp on [-87, 88]; beyond, the value at the end of that range.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer and leaves that integer in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = fma::<FMA>(-n, LN2_LOW, fma::<FMA>(-n, LN2_HIGH, x));
    // Taylor to degree 7 on |r| <= ln 2 / 2: truncation below half an ulp.
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = fma::<FMA>(p, r, coefficient);
    }
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// The upper half of some lanes onto the lower. Halves of their own, whose length the compiler knows, stay in
/// registers.
#[inline(always)]
fn halve<const N: usize>(lanes: &[f32], combine: impl Fn(f32, f32) -> f32) -> [f32; N] {
    std::array::from_fn(|lane| combine(lanes[lane], lanes[lane + N]))
}

/// Of the lanes of a reduction, one: the upper half onto the lower, until one is left.
#[inline(always)]
pub fn fold(lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    let lanes = halve::<4>(&halve::<8>(&lanes, combine), combine);
    let [lane] = halve::<1>(&halve::<2>(&lanes, combine), combine);
    lane
}

#[inline(always)]
fn reduce(length: usize, zero: f32, term: impl Fn(usize) -> f32, combine: impl Fn(f32, f32) -> f32 + Copy) -> f32 {
    let mut lanes = [zero; LANES];
    let whole = length / LANES * LANES;
    let mut start = 0;
    while start < whole {
        for (lane, value) in lanes.iter_mut().enumerate() {
            *value = combine(*value, term(start + lane));
        }
        start += LANES;
    }
    for index in whole..length {
        lanes[index - whole] = combine(lanes[index - whole], term(index));
    }
    fold(lanes, combine)
}

/// The sum of a term of the numbers at each place of several rows of the same length, in a form that stays in registers.
#[inline(always)]
pub fn sum_over<const N: usize>(rows: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let parts = rows.map(|row| row.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for index in 0..parts[0].0.len() {
        let chunks = parts.map(|(chunks, _)| &chunks[index]);
        for (lane, value) in lanes.iter_mut().enumerate() {
            *value += term(chunks.map(|chunk| chunk[lane]));
        }
    }
    for (lane, value) in lanes.iter_mut().enumerate().take(parts[0].1.len()) {
        *value += term(parts.map(|(_, rest)| rest[lane]));
    }
    fold(lanes, |a, b| a + b)
}

/// Two sums of the same length, each as `sum_over` has it.
#[inline(always)]
pub fn sums_of(length: usize, terms: impl Fn(usize) -> (f32, f32)) -> (f32, f32) {
    let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
    let whole = length / LANES * LANES;
    let mut start = 0;
    while start < whole {
        for lane in 0..LANES {
            let (a, b) = terms(start + lane);
            first[lane] += a;
            second[lane] += b;
        }
        start += LANES;
    }
    for index in whole..length {
        let (a, b) = terms(index);
        first[index - whole] += a;
        second[index - whole] += b;
    }
    (fold(first, |a, b| a + b), fold(second, |a, b| a + b))
}

/// The largest term.
#[inline(always)]
pub fn max_of(length: usize, term: impl Fn(usize) -> f32) -> f32 {
    reduce(length, f32::NEG_INFINITY, term, max)
}

/// The larger of two; `a` where one is no number.
#[inline(always)]
pub fn max(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

by_isa! {
    /// The dot product of two rows of the same length.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        let _ = FMA;
        let length = a.len().min(b.len());
        sum_over([&a[..length], &b[..length]], |[a, b]| a * b)
    }
}

by_isa! {
    /// `to[i] += factor * from[i]`.
    pub fn add_scaled(to: &mut [f32], from: &[f32], factor: f32) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = fma::<FMA>(*from, factor, *to);
        }
    }
}

by_isa! {
    /// The sum of squares in f64, for norms of whole gradients.
    pub fn sum_of_squares(values: &[f32]) -> f64 {
        let _ = FMA;
        let mut lanes = [0.0f64; LANES];
        let mut chunks = values.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(*value) * f64::from(*value);
            }
        }
        for (lane, value) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane += f64::from(*value) * f64::from(*value);
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulp() {
        for step in -8700..8800 {
            let x = step as f32 * 0.01 + 0.0037;
            for got in [exp::<true>(x), exp::<false>(x)] {
                let want = f64::from(x.clamp(-87.0, 88.0)).exp();
                assert!(((f64::from(got) - want) / want).abs() < 2.4e-7, "exp({x}) = {got}, want {want}");
            }
        }
        assert!(exp::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_take_any_length() {
        for length in 0..70 {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 7.0) % 5.0 - 2.0).collect();
            assert_eq!(sum_over([&values], |[value]| value), values.iter().sum::<f32>());
            let squares = sum_over([&values, &values], |[a, b]| a * b);
            assert_eq!(squares, values.iter().map(|value| value * value).sum::<f32>());
            assert_eq!(sums_of(length, |i| (values[i], values[i] * values[i])), (values.iter().sum(), squares));
            assert_eq!(max_of(length, |i| values[i]), values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
