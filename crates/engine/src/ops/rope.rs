//! Rotary position embedding in the half-split form that Hugging Face checkpoints use (Su et al., 2021).

use std::sync::OnceLock;

use crate::isa::{by_isa, fma};

/// Positions whose angles are computed together, at their first use: a long context costs memory only where it is used.
const BLOCK: usize = 1024;

/// Cosines and sines of every position up to a bound.
#[derive(Debug)]
pub struct RopeTable {
    inverse_frequencies: Vec<f64>,
    blocks: Vec<OnceLock<Block>>,
}

/// Of the positions of a block, [positions, head_dim / 2] each.
#[derive(Debug)]
struct Block {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Of one position: for each pair of a head, [head_dim / 2].
#[derive(Debug, Clone, Copy)]
pub struct Angles<'a> {
    pub cos: &'a [f32],
    pub sin: &'a [f32],
}

impl RopeTable {
    pub fn new(inverse_frequencies: &[f64], positions: usize) -> Self {
        let blocks = (0..positions.div_ceil(BLOCK)).map(|_| OnceLock::new()).collect();
        Self { inverse_frequencies: inverse_frequencies.to_vec(), blocks }
    }

    fn block(&self, block: usize) -> &Block {
        self.blocks[block].get_or_init(|| {
            let positions = block * BLOCK..(block + 1) * BLOCK;
            let angles = positions.flat_map(|at| self.inverse_frequencies.iter().map(move |f| at as f64 * f));
            let (sin, cos) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
            Block { cos, sin }
        })
    }

    /// The angles of a position.
    pub fn angles(&self, position: usize) -> Angles<'_> {
        let (half, block) = (self.inverse_frequencies.len(), self.block(position / BLOCK));
        let range = position % BLOCK * half..(position % BLOCK + 1) * half;
        Angles { cos: &block.cos[range.clone()], sin: &block.sin[range] }
    }

    /// Rotates one head at a position; `inverse` rotates back, which is the gradient.
    pub fn rotate(&self, head: &mut [f32], position: usize, inverse: bool) {
        let Angles { cos, sin } = self.angles(position);
        rotate(head, cos, sin, if inverse { -1.0 } else { 1.0 });
    }
}

by_isa! {
    /// Turns each pair of a head by its angle, or by minus that where `sign` is -1.
    pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
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
