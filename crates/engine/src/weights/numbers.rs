//! Element types of checkpoints and their conversion to and from f32.

use crate::element::{Bf16, Element};

/// How a written checkpoint stores its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    /// Rounded to nearest, ties to even.
    Bf16,
}

impl Dtype {
    /// The name that safetensors gives it.
    pub(crate) fn safetensors_name(self) -> &'static str {
        match self {
            Dtype::F32 => "F32",
            Dtype::Bf16 => "BF16",
        }
    }

    /// The name that PyTorch gives it.
    pub(crate) fn torch_name(self) -> &'static str {
        match self {
            Dtype::F32 => "float32",
            Dtype::Bf16 => "bfloat16",
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::Bf16 => 2,
        }
    }

    /// Little-endian bytes of the values.
    pub(crate) fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Dtype::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Dtype::Bf16 => values.iter().flat_map(|value| Bf16::from_f32(*value).0.to_le_bytes()).collect(),
        }
    }
}

pub(crate) fn f32_from_le(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

pub(crate) fn bf16_from_le(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|two| Bf16(u16::from_le_bytes(*two)).to_f32()).collect()
}

pub(crate) fn f16_from_le(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|two| f16_to_f32(u16::from_le_bytes(*two))).collect()
}

/// IEEE 754 half precision to single, exactly.
pub(crate) fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let mantissa = u32::from(half) & 0x3ff;
    match exponent {
        // Subnormal: mantissa units of 2^-24.
        0 => f32::from_bits(sign | (mantissa as f32 * f32::from_bits(0x3380_0000)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | (mantissa << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13)),
    }
}
