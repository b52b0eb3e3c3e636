//! Random numbers from a seed, and the initial weights of a new model.

/// SplitMix64: every seed gives an independent, repeatable stream (Steele et al., 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let (u, v) = (1.0 - f64::from(self.uniform()), f64::from(self.uniform()));
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }
}

/// The finaliser of SplitMix64: a bijection that leaves no visible trace of its argument.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A uniform number in [0, 1) that depends on a seed and two counters alone.
pub fn uniform_at(seed: u64, counters: [u64; 2]) -> f64 {
    let mut state = mix(seed ^ 0x6a09_e667_f3bc_c908);
    for counter in counters {
        state = mix(state.wrapping_add(counter).wrapping_add(0x9e37_79b9_7f4a_7c15));
    }
    (state >> 11) as f64 / (1u64 << 53) as f64
}
