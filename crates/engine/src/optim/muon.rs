//! Muon (Jordan et al., 2024): momentum whose matrix is replaced by its nearest orthogonal one, by Newton and Schulz.

use crate::gemm::{Output, Panels, Rows, gemm, pack_columns, pack_rows};
use crate::ops::math::{add_scaled, sum_of_squares};
use crate::pool::Pool;

/// The quintic's coefficients, chosen by its authors for the steepest slope at zero.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];
const ITERATIONS: usize = 5;

/// Settings of a step.
#[derive(Debug, Clone, Copy)]
pub struct Muon {
    pub learning_rate: f32,
    pub momentum: f32,
    pub weight_decay: f32,
}

/// One matrix and what belongs to it, each [rows, columns].
pub(super) struct Matrix<'a> {
    pub rows: usize,
    pub columns: usize,
    pub values: &'a mut [f32],
    pub gradient: &'a [f32],
    pub momentum: &'a mut [f32],
}

impl Muon {
    /// Updates one matrix; `scale` multiplies its gradient. The step is multiplied by sqrt(max(1, rows / columns)).
    pub(super) fn apply(&self, pool: &Pool, matrix: Matrix<'_>, scale: f32) {
        let Matrix { rows, columns, values, gradient, momentum } = matrix;
        let mut direction = vec![0.0; gradient.len()];
        for ((direction, momentum), gradient) in direction.iter_mut().zip(momentum.iter_mut()).zip(gradient) {
            let g = gradient * scale;
            *momentum = self.momentum * *momentum + g;
            *direction = g + self.momentum * *momentum;
        }
        let orthogonal = orthogonalise(pool, direction, rows, columns);
        let step = self.learning_rate * (rows as f32 / columns as f32).max(1.0).sqrt();
        let decay = 1.0 - self.learning_rate * self.weight_decay;
        values.iter_mut().for_each(|value| *value *= decay);
        add_scaled(values, &orthogonal, -step);
    }
}

/// An approximation of U V^T for a matrix U S V^T, [rows, columns].
pub(super) fn orthogonalise(pool: &Pool, mut x: Vec<f32>, rows: usize, columns: usize) -> Vec<f32> {
    let wide = rows <= columns;
    let (height, width) = if wide { (rows, columns) } else { (columns, rows) };
    if !wide {
        x = transposed(&x, rows, columns);
    }
    let norm = sum_of_squares(&x).sqrt() as f32 + 1e-7;
    x.iter_mut().for_each(|value| *value /= norm);
    let [a, b, c] = COEFFICIENTS;
    let mut gram = vec![0.0; height * height];
    let mut polynomial = vec![0.0; height * height];
    let mut next = vec![0.0; x.len()];
    for _ in 0..ITERATIONS {
        let mut panels = Panels::<f32>::zeros(height, width);
        pack_rows(pool, &x, width, width, &mut panels);
        product(pool, &x, height, width, &panels, &mut gram);
        let mut panels = Panels::<f32>::zeros(height, height);
        pack_rows(pool, &gram, height, height, &mut panels);
        product(pool, &gram, height, height, &panels, &mut polynomial);
        polynomial.iter_mut().zip(&gram).for_each(|(square, gram)| *square = b * gram + c * *square);
        let mut panels = Panels::<f32>::zeros(width, height);
        pack_columns(pool, &x, width, height, &mut panels);
        product(pool, &polynomial, height, height, &panels, &mut next);
        next.iter_mut().zip(&x).for_each(|(next, x)| *next += a * x);
        std::mem::swap(&mut x, &mut next);
    }
    if wide { x } else { transposed(&x, columns, rows) }
}

fn product(pool: &Pool, left: &[f32], rows: usize, reduction: usize, right: &Panels<f32>, out: &mut [f32]) {
    let left = Rows { data: left, rows, stride: reduction };
    gemm(pool, left, right.view(), Output { data: out, stride: right.columns, offset: 0 }, false);
}

fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| x[row * columns + column])).collect()
}
