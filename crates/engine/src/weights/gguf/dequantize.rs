//! ggml's block formats to f32. The arithmetic is the reference's (ggml-quants.c), in its order, so that the values are
//! the same bits.

use crate::weights::numbers::{bf16_from_le, f16_from_le, f16_to_f32, f32_from_le};

/// A tensor's storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TensorKind {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

use TensorKind::*;

/// Number in the format, name, elements a block, bytes a block.
const KINDS: [(TensorKind, u32, &str, usize, usize); 11] = [
    (F32, 0, "F32", 1, 4),
    (F16, 1, "F16", 1, 2),
    (Bf16, 30, "BF16", 1, 2),
    (Q4_0, 2, "Q4_0", 32, 18),
    (Q4_1, 3, "Q4_1", 32, 20),
    (Q5_0, 6, "Q5_0", 32, 22),
    (Q5_1, 7, "Q5_1", 32, 24),
    (Q8_0, 8, "Q8_0", 32, 34),
    (Q4K, 12, "Q4_K", 256, 144),
    (Q5K, 13, "Q5_K", 256, 176),
    (Q6K, 14, "Q6_K", 256, 210),
];

impl TensorKind {
    pub(super) fn of(number: u32) -> Option<Self> {
        KINDS.iter().find(|(_, own, ..)| *own == number).map(|(kind, ..)| *kind)
    }

    pub(super) fn names() -> String {
        KINDS.map(|(_, _, name, ..)| name).join(", ")
    }

    /// Elements and bytes of a block.
    fn block(self) -> (usize, usize) {
        let (.., elements, bytes) =
            KINDS[KINDS.iter().position(|(kind, ..)| *kind == self).expect("every kind is listed")];
        (elements, bytes)
    }

    /// Bytes of a tensor; `None` where a dimension is 0, a row does not divide into blocks, or the size overflows.
    pub(super) fn size(self, dimensions: &[u64]) -> Option<usize> {
        let (elements, bytes) = self.block();
        let total = dimensions.iter().try_fold(1usize, |total, dimension| {
            total.checked_mul(usize::try_from(*dimension).ok().filter(|dimension| *dimension > 0)?)
        })?;
        // Bounded so that the values' size in f32 cannot overflow either.
        total.checked_mul(4)?;
        let row = *dimensions.first()? as usize;
        if row.is_multiple_of(elements) { (total / elements).checked_mul(bytes) } else { None }
    }
}

/// The values of whole blocks.
pub(super) fn dequantize(kind: TensorKind, bytes: &[u8]) -> Vec<f32> {
    let (elements, size) = kind.block();
    let decode: fn(&[u8], &mut [f32]) = match kind {
        F32 => return f32_from_le(bytes),
        F16 => return f16_from_le(bytes),
        Bf16 => return bf16_from_le(bytes),
        Q4_0 => q4_0,
        Q4_1 => q4_1,
        Q5_0 => q5_0,
        Q5_1 => q5_1,
        Q8_0 => q8_0,
        Q4K => q4_k,
        Q5K => q5_k,
        Q6K => q6_k,
    };
    let mut values = vec![0.0; bytes.len() / size * elements];
    for (block, out) in bytes.chunks_exact(size).zip(values.chunks_exact_mut(elements)) {
        decode(block, out);
    }
    values
}

fn f16_at(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// 4 bits around 8: scale, 16 bytes whose low halves come first.
fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = f16_at(block, 0);
    for (j, byte) in block[2..18].iter().enumerate() {
        out[j] = scale * (f32::from(byte & 15) - 8.0);
        out[j + 16] = scale * (f32::from(byte >> 4) - 8.0);
    }
}

/// 4 bits above a minimum: scale, minimum, 16 bytes.
fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
    for (j, byte) in block[4..20].iter().enumerate() {
        out[j] = scale * f32::from(byte & 15) + minimum;
        out[j + 16] = scale * f32::from(byte >> 4) + minimum;
    }
}

/// The fifth bits of 32 elements, then their low four: element j and j + 16 share byte j.
fn five_bits(block: &[u8], high_at: usize, j: usize) -> (f32, f32) {
    let high = u32::from_le_bytes([block[high_at], block[high_at + 1], block[high_at + 2], block[high_at + 3]]);
    let byte = u32::from(block[high_at + 4 + j]);
    let low = (byte & 15) | ((high >> j & 1) << 4);
    let upper = (byte >> 4) | ((high >> (j + 16) & 1) << 4);
    (low as f32, upper as f32)
}

fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = f16_at(block, 0);
    for j in 0..16 {
        let (low, upper) = five_bits(block, 2, j);
        out[j] = scale * (low - 16.0);
        out[j + 16] = scale * (upper - 16.0);
    }
}

fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, minimum) = (f16_at(block, 0), f16_at(block, 2));
    for j in 0..16 {
        let (low, upper) = five_bits(block, 4, j);
        out[j] = scale * low + minimum;
        out[j + 16] = scale * upper + minimum;
    }
}

fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = f16_at(block, 0);
    for (value, byte) in out.iter_mut().zip(&block[2..34]) {
        *value = scale * f32::from(*byte as i8);
    }
}

/// The scale and minimum, 6 bits each, of group j of the 8 in a super-block; 12 bytes hold them all.
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        let low = packed[j + 4];
        ((low & 15) | (packed[j - 4] >> 6 << 4), (low >> 4) | (packed[j] >> 6 << 4))
    };
    (f32::from(scale), f32::from(minimum))
}

/// Scale and minimum of scales, 12 bytes of scales, 128 bytes of 4-bit values.
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, minimum, packed) = (f16_at(block, 0), f16_at(block, 2), &block[4..16]);
    for (group, values) in out.chunks_exact_mut(32).enumerate() {
        let (own_scale, own_minimum) = scale_and_minimum(packed, group);
        let (factor, offset) = (scale * own_scale, minimum * own_minimum);
        let bytes = &block[16 + group / 2 * 32..];
        for (value, byte) in values.iter_mut().zip(bytes) {
            *value = factor * f32::from(byte >> (4 * (group % 2)) & 15) - offset;
        }
    }
}

/// As Q4_K, with 32 bytes of fifth bits before the 4-bit values: bit g of byte j is element j's of group g.
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (scale, minimum, packed) = (f16_at(block, 0), f16_at(block, 2), &block[4..16]);
    let high = &block[16..48];
    for (group, values) in out.chunks_exact_mut(32).enumerate() {
        let (own_scale, own_minimum) = scale_and_minimum(packed, group);
        let (factor, offset) = (scale * own_scale, minimum * own_minimum);
        let bytes = &block[48 + group / 2 * 32..];
        for (j, value) in values.iter_mut().enumerate() {
            let bits = (bytes[j] >> (4 * (group % 2)) & 15) | ((high[j] >> group & 1) << 4);
            *value = factor * f32::from(bits) - offset;
        }
    }
}

/// 128 bytes of low 4 bits, 64 of high 2 bits, 16 signed scales, the scale of scales.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let scale = f16_at(block, 208);
    for (index, value) in out.iter_mut().enumerate() {
        // Each half of 128 has four quarters of 32: quarters 0 and 2 share low bytes, as do 1 and 3; all share high ones.
        let (half, quarter, j) = (index / 128, index % 128 / 32, index % 32);
        let low = block[half * 64 + quarter % 2 * 32 + j] >> (quarter / 2 * 4) & 15;
        let high = block[128 + half * 32 + j] >> (quarter * 2) & 3;
        let own_scale = f32::from(block[192 + index / 16] as i8);
        *value = scale * own_scale * (f32::from(low | high << 4) - 32.0);
    }
}
