//! The numbers that matrix products take: f32, or bf16 (the upper half of an f32) with f32 accumulation.

/// The largest `Element::GROUP`.
pub const MAX_GROUP: usize = 2;

/// A number as the kernels store it.
pub trait Element: Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// How many neighbours along the reduction are stored together, as the dot-product instructions want them.
    const GROUP: usize;
    /// The precision's name in the public interface.
    const NAME: &'static str;
    fn from_f32(value: f32) -> Self;
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const GROUP: usize = 1;
    const NAME: &'static str = "f32";
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

/// Brain float 16: sign, 8 bits of exponent, 7 of mantissa.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Element for Bf16 {
    const GROUP: usize = 2;
    const NAME: &'static str = "bf16";
    /// Rounds to nearest, ties to even; a NaN stays a NaN.
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        let is_nan = (bits & 0x7fff_ffff) > 0x7f80_0000;
        Bf16(if is_nan { quiet } else { rounded } as u16)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_rounds_to_nearest_even_and_keeps_specials() {
        assert_eq!(Bf16::from_f32(1.0).to_f32(), 1.0);
        assert_eq!(Bf16::from_f32(f32::from_bits(0x3f80_8000)).0, 0x3f80);
        assert_eq!(Bf16::from_f32(f32::from_bits(0x3f81_8000)).0, 0x3f82);
        assert_eq!(Bf16::from_f32(f32::INFINITY).to_f32(), f32::INFINITY);
        assert!(Bf16::from_f32(f32::NAN).to_f32().is_nan());
        assert!(Bf16::from_f32(f32::from_bits(0x7f80_0001)).to_f32().is_nan());
    }
}
