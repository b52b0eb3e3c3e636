//! Rotary position embedding in the half-split form that Hugging Face checkpoints use (Su et al., 2021).

use crate::isa::{by_isa, fma};

/// Cosines and sines of every position up to a bound, [positions, head_dim / 2] each.
#[derive(Debug)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    pub fn new(inverse_frequencies: &[f64], positions: usize) -> Self {
        let half = inverse_frequencies.len();
        let angles = (0..positions).flat_map(|position| inverse_frequencies.iter().map(move |f| position as f64 * f));
        let (sin, cos) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        Self { half, cos, sin }
    }

    pub fn positions(&self) -> usize {
        self.cos.len() / self.half.max(1)
    }

    /// Rotates one head at a position; `inverse` rotates back, which is the gradient.
    pub fn rotate(&self, head: &mut [f32], position: usize, inverse: bool) {
        let range = position * self.half..(position + 1) * self.half;
        rotate(head, &self.cos[range.clone()], &self.sin[range], if inverse { -1.0 } else { 1.0 });
    }
}

by_isa! {
    fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        let (low, high) = head.split_at_mut(half);
        let (high, sin) = (&mut high[..half], &sin[..half]);
        for i in 0..half {
            let (x, y, s) = (low[i], high[i], sin[i] * sign);
            low[i] = fma::<FMA>(x, cos[i], -(y * s));
            high[i] = fma::<FMA>(y, cos[i], x * s);
        }
    }
}
