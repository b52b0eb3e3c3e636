//! Optimisers over a list of parameters: gradients are checked and clipped, applied, and cleared.

mod adamw;
mod muon;

pub use adamw::AdamW;
use muon::Matrix;
pub use muon::Muon;

use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::memory::zeros;
use crate::ops::math::sum_of_squares;
use crate::pool::{Parts, Pool};

/// A named part of a parameter buffer: rows of a fused tensor, or a whole one.
#[derive(Debug, Clone)]
pub struct ParameterPart {
    pub name: String,
    pub buffer: usize,
    pub offset: usize,
    pub rows: usize,
    pub columns: usize,
    /// A weight matrix, which decays; norms, biases and heads of one row do not.
    pub decays: bool,
    /// A matrix between hidden layers, which Muon orthogonalises.
    pub hidden: bool,
}

impl ParameterPart {
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }
}

/// Values, gradients and optimiser state of everything that is trained, in f32.
#[derive(Debug, Default)]
pub struct Parameters {
    pub parts: Vec<ParameterPart>,
    pub values: Vec<Vec<f32>>,
    pub gradients: Vec<Vec<f32>>,
    /// Whether a backward pass has added to the gradients since they were last cleared.
    has_gradient: bool,
    /// First and second moments; empty until the first step.
    pub first: Vec<Vec<f32>>,
    pub second: Vec<Vec<f32>>,
    /// Whose steps the moments come from; unset until the first.
    pub moments_of: Option<OptimizerKind>,
    /// Steps taken.
    pub steps: u64,
}

/// Elements of a task.
const STRIPE: usize = 1 << 16;

/// An optimiser and its settings for one step.
#[derive(Debug, Clone, Copy)]
pub enum Optimizer {
    AdamW(AdamW),
    /// Muon on hidden matrices, AdamW on the rest.
    Muon(Muon, AdamW),
}

/// Which optimiser, whatever its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptimizerKind {
    AdamW,
    Muon,
}

impl OptimizerKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::AdamW => "adamw",
            Self::Muon => "muon",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::AdamW, Self::Muon].into_iter().find(|kind| kind.name() == name)
    }
}

impl Optimizer {
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Self::AdamW(_) => OptimizerKind::AdamW,
            Self::Muon(..) => OptimizerKind::Muon,
        }
    }
}

impl Parameters {
    pub fn new(parts: Vec<ParameterPart>, values: Vec<Vec<f32>>) -> Self {
        Self { parts, values, ..Self::default() }
    }

    /// Numbers held: values, gradients and moments.
    pub fn elements(&self) -> usize {
        [&self.values, &self.gradients, &self.first, &self.second].into_iter().flatten().map(Vec::len).sum()
    }

    /// Readies the gradients for a backward pass to add to.
    pub fn begin_gradients(&mut self) {
        self.has_gradient = true;
        if self.gradients.is_empty() {
            self.gradients = self.values.iter().map(|values| zeros(values.len())).collect();
        }
    }

    /// The norm of all gradients together; an error names the first parameter with a NaN or an infinity.
    pub fn gradient_norm(&self, pool: &Pool) -> Result<f64> {
        let mut total = 0.0;
        for part in &self.parts {
            let gradient = &self.gradients[part.buffer][part.range()];
            let square = squares(pool, gradient);
            if !square.is_finite() {
                let at = gradient.iter().position(|value| !value.is_finite());
                let what = at.map_or("too large to square".to_string(), |at| {
                    format!("{} at row {}, column {}", gradient[at], at / part.columns, at % part.columns)
                });
                let hint = "no weight was changed; look for a loss or a learning rate that diverges";
                return Err(Error::new(format!("the gradient of {} is {what}; {hint}", part.name)));
            }
            total += square;
        }
        Ok(total.sqrt())
    }

    /// Clips to `max_norm` (0: not at all), applies and clears. Gives back the norm before clipping. On an error nothing
    /// has changed but the gradients, which are cleared.
    /// Muon's products take numbers of `E`.
    pub fn step<E: GemmElement>(&mut self, pool: &Pool, optimizer: Optimizer, max_norm: f64) -> Result<f64> {
        if !self.has_gradient {
            return Err(Error::new(
                "optimStep: there is no gradient since the last step or zeroGradients(); call forwardBackward first",
            ));
        }
        let kind = optimizer.kind();
        if let Some(before) = self.moments_of.filter(|&before| before != kind) {
            return Err(Error::new(format!(
                "optimStep: this is a step of {}, but the moments are of {}'s steps and mean something else; call resetOptimizer() first",
                kind.name(),
                before.name()
            )));
        }
        let norm = match self.gradient_norm(pool) {
            Ok(norm) => norm,
            Err(error) => {
                self.clear_gradients();
                return Err(error);
            }
        };
        let scale = if max_norm > 0.0 && norm > max_norm { (max_norm / norm) as f32 } else { 1.0 };
        if self.first.is_empty() {
            let moments = || self.values.iter().map(|values| zeros(values.len())).collect();
            (self.first, self.second) = (moments(), moments());
        }
        self.moments_of = Some(kind);
        self.steps += 1;
        let (muon, adamw) = match optimizer {
            Optimizer::AdamW(adamw) => (None, adamw),
            Optimizer::Muon(muon, adamw) => (Some(muon), adamw),
        };
        for index in 0..self.parts.len() {
            if muon.is_none() || !self.parts[index].hidden {
                adamw.apply(pool, self, index, scale);
            }
        }
        if let Some(muon) = muon {
            self.apply_muon::<E>(pool, muon, scale);
        }
        self.has_gradient = false;
        Ok(norm)
    }

    /// Updates the hidden matrices and clears their gradients, each on one thread: their products are too small to
    /// share.
    fn apply_muon<E: GemmElement>(&mut self, pool: &Pool, muon: Muon, scale: f32) {
        let Self { parts, values, gradients, first, .. } = self;
        let hidden: Vec<&ParameterPart> = parts.iter().filter(|part| part.hidden).collect();
        let values: Vec<Parts<f32>> = values.iter_mut().map(|buffer| Parts::new(buffer)).collect();
        let gradients: Vec<Parts<f32>> = gradients.iter_mut().map(|buffer| Parts::new(buffer)).collect();
        let first: Vec<Parts<f32>> = first.iter_mut().map(|buffer| Parts::new(buffer)).collect();
        let alone = Pool::new(1);
        pool.run(hidden.len(), &|index| {
            let part = hidden[index];
            let (rows, columns) = (part.rows, part.columns);
            // SAFETY: parts do not overlap, and each is one task's.
            let [values, gradient, momentum] = unsafe {
                [&values, &gradients, &first].map(|buffers| buffers[part.buffer].get(part.offset, rows * columns))
            };
            muon.apply::<E>(&alone, Matrix { rows, columns, values, gradient, momentum }, scale);
        });
    }

    /// Other values, from which an optimiser starts afresh.
    pub fn restart(&mut self, values: Vec<Vec<f32>>) {
        self.values = values;
        self.reset_optimizer();
        self.clear_gradients();
    }

    /// Forgets moments and steps; gradients stay.
    pub fn reset_optimizer(&mut self) {
        (self.first, self.second) = (Vec::new(), Vec::new());
        self.moments_of = None;
        self.steps = 0;
    }

    pub fn clear_gradients(&mut self) {
        self.has_gradient = false;
        self.gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
    }
}

/// Sum of squares, in stripes added up in order.
fn squares(pool: &Pool, values: &[f32]) -> f64 {
    let mut sums = vec![0.0f64; values.len().div_ceil(STRIPE)];
    let count = sums.len();
    let parts = Parts::new(&mut sums);
    pool.run(count, &|index| {
        let range = index * STRIPE..((index + 1) * STRIPE).min(values.len());
        // SAFETY: each task has its own sum.
        unsafe { parts.get(index, 1)[0] = sum_of_squares(&values[range]) };
    });
    sums.iter().sum()
}

#[cfg(test)]
mod tests;
