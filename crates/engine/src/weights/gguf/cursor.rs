//! Reading little-endian fields from a file's bytes, none past the end.

use crate::error::{Error, Result};
use crate::weights::mapped::MappedFile;

/// A position in a file.
pub(super) struct Cursor<'a> {
    file: &'a MappedFile,
    pub(super) position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file: &'a MappedFile, position: usize) -> Self {
        Self { file, position }
    }

    pub(super) fn remaining(&self) -> usize {
        self.file.bytes().len() - self.position
    }

    pub(super) fn error(&self, field: &str, problem: &str) -> Error {
        self.file.error(format!("{field} (byte {}): {problem}", self.position))
    }

    pub(super) fn take(&mut self, length: u64, field: &str) -> Result<&'a [u8]> {
        if length > self.remaining() as u64 {
            return Err(self.error(field, &format!("takes {length} bytes, but {} are left", self.remaining())));
        }
        let start = self.position;
        self.position += length as usize;
        Ok(&self.file.bytes()[start..self.position])
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N]> {
        Ok(self.take(N as u64, field)?.try_into().expect("take gives the length asked for"))
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &str) -> Result<u64> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A length in 8 bytes, then so many bytes of UTF-8.
    pub(super) fn text(&mut self, field: &str) -> Result<&'a str> {
        let length = self.u64(field)?;
        let bytes = self.take(length, field)?;
        std::str::from_utf8(bytes).map_err(|error| self.error(field, &format!("is not UTF-8: {error}")))
    }

    pub(super) fn scalar(&mut self, kind: ScalarKind, field: &str) -> Result<Scalar> {
        Ok(match kind {
            ScalarKind::U8 => Scalar::Whole(i128::from(self.array::<1>(field)?[0])),
            ScalarKind::I8 => Scalar::Whole(i128::from(i8::from_le_bytes(self.array(field)?))),
            ScalarKind::U16 => Scalar::Whole(i128::from(u16::from_le_bytes(self.array(field)?))),
            ScalarKind::I16 => Scalar::Whole(i128::from(i16::from_le_bytes(self.array(field)?))),
            ScalarKind::U32 => Scalar::Whole(i128::from(self.u32(field)?)),
            ScalarKind::I32 => Scalar::Whole(i128::from(i32::from_le_bytes(self.array(field)?))),
            ScalarKind::U64 => Scalar::Whole(i128::from(self.u64(field)?)),
            ScalarKind::I64 => Scalar::Whole(i128::from(i64::from_le_bytes(self.array(field)?))),
            ScalarKind::F32 => Scalar::Real(widen(f32::from_le_bytes(self.array(field)?))),
            ScalarKind::F64 => Scalar::Real(f64::from_le_bytes(self.array(field)?)),
            ScalarKind::Bool => match self.array::<1>(field)?[0] {
                0 => Scalar::Flag(false),
                1 => Scalar::Flag(true),
                other => return Err(self.error(field, &format!("is {other}; a boolean must be 0 or 1"))),
            },
        })
    }
}

/// The f64 that prints as this f32 does, so that 1e-5 stays 1e-5.
fn widen(value: f32) -> f64 {
    value.to_string().parse().expect("a float prints as a number")
}

/// A metadata value of fixed size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar {
    Whole(i128),
    Real(f64),
    Flag(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bool,
}

impl ScalarKind {
    /// By the number that the format gives it.
    pub(super) fn of(number: u32) -> Option<Self> {
        use ScalarKind::*;
        Some(match number {
            0 => U8,
            1 => I8,
            2 => U16,
            3 => I16,
            4 => U32,
            5 => I32,
            6 => F32,
            7 => Bool,
            10 => U64,
            11 => I64,
            12 => F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> u64 {
        use ScalarKind::*;
        match self {
            U8 | I8 | Bool => 1,
            U16 | I16 => 2,
            U32 | I32 | F32 => 4,
            U64 | I64 | F64 => 8,
        }
    }
}
