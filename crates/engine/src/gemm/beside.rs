//! Work beside a product: while instructions on tiles wait for each other, others have room.

/// Work in steps of a few dozen instructions. A step must leave the tile registers alone.
pub trait Steps {
    /// Does the next step; false when none was left.
    fn step(&mut self) -> bool;
}

/// No work.
pub struct Idle;

impl Steps for Idle {
    #[inline(always)]
    fn step(&mut self) -> bool {
        false
    }
}
