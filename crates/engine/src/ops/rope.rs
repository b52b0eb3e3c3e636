//! Rotary position embedding in the half-split form that Hugging Face checkpoints use (Su et al., 2021).

use std::sync::OnceLock;

use crate::element::Element;
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

    /// Rotates one head at a position.
    pub fn rotate(&self, head: &mut [f32], position: usize) {
        let Angles { cos, sin } = self.angles(position);
        rotate(head, cos, sin);
    }

    /// Rotates one head back into `to`, rounded: the gradient before the rotation from that after it.
    pub fn rotate_back<E: Element>(&self, head: &[f32], position: usize, to: &mut [E]) {
        let Angles { cos, sin } = self.angles(position);
        assert!(head.len() == 2 * cos.len() && to.len() == head.len(), "a head is turned whole");
        rotate_back(head, cos, sin, to);
    }
}

by_isa! {
    /// Turns each pair of a head by its angle.
    pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
        let half = cos.len();
        let (low, high) = head.split_at_mut(half);
        let (high, sin) = (&mut high[..half], &sin[..half]);
        for i in 0..half {
            let (x, y) = (low[i], high[i]);
            low[i] = fma::<FMA>(x, cos[i], -(y * sin[i]));
            high[i] = fma::<FMA>(y, cos[i], x * sin[i]);
        }
    }
}

by_isa! {
    fn rotate_back<E: Element>(head: &[f32], cos: &[f32], sin: &[f32], to: &mut [E]) {
        let half = cos.len();
        let (low, high) = head.split_at(half);
        let (to_low, to_high) = to.split_at_mut(half);
        let (sin, high, to_high) = (&sin[..half], &high[..half], &mut to_high[..half]);
        for i in 0..half {
            let (x, y) = (low[i], high[i]);
            to_low[i] = E::from_f32(fma::<FMA>(x, cos[i], y * sin[i]));
            to_high[i] = E::from_f32(fma::<FMA>(y, cos[i], -(x * sin[i])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;

    #[test]
    fn turning_back_undoes_a_rotation_and_rounds_what_it_gives() {
        let table = RopeTable::new(&[1.0, 0.3, 0.01], 2 * BLOCK);
        for position in [0, 1, BLOCK - 1, BLOCK + 7] {
            let head = [0.5, -1.25, 3.0, 2.0, 0.0, -0.75];
            let (mut turned, mut back, mut rounded) = (head, [0.0f32; 6], [Bf16::default(); 6]);
            table.rotate(&mut turned, position);
            table.rotate_back(&turned, position, &mut back);
            table.rotate_back(&turned, position, &mut rounded);
            for i in 0..6 {
                assert!((back[i] - head[i]).abs() < 1e-6, "{position}: {back:?}");
                assert_eq!(rounded[i], Bf16::from_f32(back[i]), "{position}");
            }
        }
    }
}
