//! Muon (Jordan et al., 2024): momentum whose matrix is replaced by its nearest orthogonal one, by Newton and Schulz.

use crate::gemm::{GemmElement, Output, Panels, Rows, gemm, gemm_packed, pack_columns};
use crate::isa::by_isa;
use crate::ops::convert;
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
    pub gradient: &'a mut [f32],
    pub momentum: &'a mut [f32],
}

impl Muon {
    /// Updates one matrix and clears its gradient, which `scale` multiplies. The step is multiplied by
    /// sqrt(max(1, rows / columns)).
    /// Products take numbers of `E`, as the authors' do bf16; everything else is f32.
    pub(super) fn apply<E: GemmElement>(&self, pool: &Pool, matrix: Matrix<'_>, scale: f32) {
        let Matrix { rows, columns, values, gradient, momentum } = matrix;
        let mut direction = vec![0.0; gradient.len()];
        nesterov(momentum, gradient, scale, self.momentum, &mut direction);
        gradient.fill(0.0);
        let orthogonal = orthogonalise::<E>(pool, direction, rows, columns);
        let step = self.learning_rate * (rows as f32 / columns as f32).max(1.0).sqrt();
        scale_by(values, 1.0 - self.learning_rate * self.weight_decay);
        add_scaled(values, &orthogonal, -step);
    }
}

by_isa! {
    /// Adds the scaled gradient to the momentum, and looks one step ahead.
    fn nesterov(momentum: &mut [f32], gradient: &[f32], scale: f32, factor: f32, direction: &mut [f32]) {
        let _ = FMA;
        for ((direction, momentum), gradient) in direction.iter_mut().zip(momentum.iter_mut()).zip(gradient) {
            let g = gradient * scale;
            *momentum = factor * *momentum + g;
            *direction = g + factor * *momentum;
        }
    }
}

by_isa! {
    fn scale_by(values: &mut [f32], factor: f32) {
        let _ = FMA;
        values.iter_mut().for_each(|value| *value *= factor);
    }
}

by_isa! {
    /// `square = b gram + c square`.
    fn combine(gram: &[f32], square: &mut [f32], b: f32, c: f32) {
        let _ = FMA;
        square.iter_mut().zip(gram).for_each(|(square, gram)| *square = b * gram + c * *square);
    }
}

/// An approximation of U V^T for a matrix U S V^T, [rows, columns].
pub(super) fn orthogonalise<E: GemmElement>(pool: &Pool, mut x: Vec<f32>, rows: usize, columns: usize) -> Vec<f32> {
    let tall = rows >= columns;
    let (height, width) = if tall { (rows, columns) } else { (columns, rows) };
    if !tall {
        x = transposed(&x, rows, columns);
    }
    let norm = sum_of_squares(&x).sqrt() as f32 + 1e-7;
    scale_by(&mut x, 1.0 / norm);
    let [a, b, c] = COEFFICIENTS;
    let mut gram = vec![0.0; width * width];
    let mut square = vec![0.0; width * width];
    let mut next = vec![0.0; x.len()];
    for _ in 0..ITERATIONS {
        let matrix = Converted::<E>::of(pool, &x, height, width);
        let panels = matrix.panels(pool);
        gemm_packed(pool, panels.view(), panels.view(), whole(&mut gram, width), false);
        // The Gram matrix and its polynomials are symmetric, so that rows serve as columns.
        let panels = Converted::<E>::of(pool, &gram, width, width).panels(pool);
        gemm_packed(pool, panels.view(), panels.view(), whole(&mut square, width), false);
        combine(&gram, &mut square, b, c);
        let polynomial = Converted::<E>::of(pool, &square, width, width).panels(pool);
        gemm(pool, matrix.rows(), polynomial.view(), whole(&mut next, width), false);
        add_scaled(&mut next, &x, a);
        std::mem::swap(&mut x, &mut next);
    }
    if tall { x } else { transposed(&x, columns, rows) }
}

/// A matrix in the products' numbers, its rows padded to whole groups.
struct Converted<E> {
    data: Vec<E>,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<E: GemmElement> Converted<E> {
    fn of(pool: &Pool, x: &[f32], rows: usize, columns: usize) -> Self {
        let stride = columns.next_multiple_of(E::GROUP);
        let mut data = vec![E::default(); rows * stride];
        convert(pool, x, columns, &mut data, stride);
        Self { data, rows, columns, stride }
    }

    fn rows(&self) -> Rows<'_, E> {
        Rows { data: &self.data, rows: self.rows, stride: self.stride }
    }

    /// For products along the rows: [reduction = rows, columns].
    fn panels(&self, pool: &Pool) -> Panels<E> {
        let mut panels = Panels::zeros(self.columns, self.rows);
        pack_columns(pool, &self.data, self.stride, self.rows, &mut panels);
        panels
    }
}

fn whole(data: &mut [f32], columns: usize) -> Output<'_> {
    Output { data, stride: columns, offset: 0 }
}

fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    /// Rows and columns of a block: its lines stay in the L1 cache.
    const BLOCK: usize = 16;
    let mut out = vec![0.0; x.len()];
    for first_row in (0..rows).step_by(BLOCK) {
        for column in 0..columns {
            for row in first_row..(first_row + BLOCK).min(rows) {
                out[column * rows + row] = x[row * columns + column];
            }
        }
    }
    out
}
