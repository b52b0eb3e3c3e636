//! AdamW (Loshchilov and Hutter, 2019): decoupled weight decay, bias-corrected moments, as PyTorch computes it.

use super::{Parameters, STRIPE};
use crate::isa::by_isa;
use crate::pool::{Parts, Pool};

/// Settings of a step.
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    /// Applied to weight matrices only.
    pub weight_decay: f32,
}

impl AdamW {
    /// Updates one part and clears its gradient, which `scale` multiplies.
    pub(super) fn apply(&self, pool: &Pool, parameters: &mut Parameters, index: usize, scale: f32) {
        let part = parameters.parts[index].clone();
        let (range, steps) = (part.range(), parameters.steps as i32);
        let correction1 = 1.0 - f64::from(self.beta1).powi(steps);
        let correction2 = 1.0 - f64::from(self.beta2).powi(steps);
        let decay = if part.decays { 1.0 - self.learning_rate * self.weight_decay } else { 1.0 };
        let factors = Factors {
            scale,
            decay,
            step: (f64::from(self.learning_rate) / correction1) as f32,
            root: (1.0 / correction2.sqrt()) as f32,
        };
        let gradient = Parts::new(&mut parameters.gradients[part.buffer][range.clone()]);
        let values = Parts::new(&mut parameters.values[part.buffer][range.clone()]);
        let first = Parts::new(&mut parameters.first[part.buffer][range.clone()]);
        let second = Parts::new(&mut parameters.second[part.buffer][range.clone()]);
        pool.run(range.len().div_ceil(STRIPE), &|stripe| {
            let (offset, length) = (stripe * STRIPE, (range.len() - stripe * STRIPE).min(STRIPE));
            // SAFETY: each task has its own stripe.
            let [values, first, second, gradient] =
                unsafe { [values, first, second, gradient].map(|part| part.get(offset, length)) };
            update(values, first, second, gradient, *self, factors);
        });
    }
}

#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    decay: f32,
    step: f32,
    root: f32,
}

by_isa! {
    fn update(
        values: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &mut [f32],
        adamw: AdamW,
        factors: Factors,
    ) {
        let _ = FMA;
        let length = values.len();
        let (first, second, gradient) = (&mut first[..length], &mut second[..length], &mut gradient[..length]);
        for i in 0..length {
            let g = gradient[i] * factors.scale;
            let m = first[i] + (1.0 - adamw.beta1) * (g - first[i]);
            let v = adamw.beta2 * second[i] + (1.0 - adamw.beta2) * g * g;
            gradient[i] = 0.0;
            first[i] = m;
            second[i] = v;
            values[i] = values[i] * factors.decay - factors.step * m / (v.sqrt() * factors.root + adamw.epsilon);
        }
    }
}
