//! The head of a GGUF file: metadata, then the list of tensors. Nothing is allocated for a count that the file states,
//! only for entries that are there.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::weights::gguf::cursor::{Cursor, Scalar, ScalarKind};
use crate::weights::gguf::dequantize::TensorKind;

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// ggml's most dimensions of a tensor.
const MAX_RANK: u32 = 4;

/// A metadata value. Strings and arrays stay in the file, checked, and are decoded when asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Scalar(Scalar),
    /// The position of its length.
    Text(usize),
    Scalars {
        kind: ScalarKind,
        count: u64,
        position: usize,
    },
    Texts {
        count: u64,
        position: usize,
    },
}

/// A tensor, its bytes checked to lie in the file.
#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    pub(super) kind: TensorKind,
    /// Fastest first: [inputs, outputs] of a matrix.
    pub(super) dimensions: Vec<usize>,
    /// Bytes from the start of the file.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// All metadata by name.
pub(super) fn read_metadata(cursor: &mut Cursor, count: u64) -> Result<HashMap<String, Value>> {
    let mut metadata = HashMap::new();
    for _ in 0..count {
        let key = cursor.text("metadata key")?;
        let value = read_value(cursor, key)?;
        if metadata.insert(key.to_string(), value).is_some() {
            return Err(cursor.error(key, "occurs twice"));
        }
    }
    Ok(metadata)
}

fn read_value(cursor: &mut Cursor, key: &str) -> Result<Value> {
    let kind = cursor.u32(key)?;
    if let Some(kind) = ScalarKind::of(kind) {
        return cursor.scalar(kind, key).map(Value::Scalar);
    }
    let position = cursor.position;
    match kind {
        TEXT => cursor.text(key).map(|_| Value::Text(position)),
        ARRAY => {
            let (kind, count) = (cursor.u32(key)?, cursor.u64(key)?);
            let position = cursor.position;
            if let Some(kind) = ScalarKind::of(kind) {
                cursor.take(count.saturating_mul(kind.size()), key)?;
                return Ok(Value::Scalars { kind, count, position });
            }
            if kind != TEXT {
                return Err(cursor.error(key, &format!("is an array of type {kind}, which is not supported")));
            }
            for _ in 0..count {
                cursor.text(key)?;
            }
            Ok(Value::Texts { count, position })
        }
        other => Err(cursor.error(key, &format!("has the unknown type {other}"))),
    }
}

/// All tensors, their `start` and `end` counted from the start of the data, not yet checked against the file's size.
pub(super) fn read_tensors(cursor: &mut Cursor, count: u64) -> Result<Vec<TensorInfo>> {
    let (mut tensors, mut seen) = (Vec::new(), HashSet::new());
    for _ in 0..count {
        let name = cursor.text("tensor name")?;
        let fail = |cursor: &Cursor, problem: &str| Err(cursor.error(&format!("tensor '{name}'"), problem));
        if !seen.insert(name) {
            return fail(cursor, "occurs twice");
        }
        let rank = cursor.u32(name)?;
        if rank == 0 || rank > MAX_RANK {
            return fail(cursor, &format!("has {rank} dimensions; it must have 1 to {MAX_RANK}"));
        }
        let dimensions = (0..rank).map(|_| cursor.u64(name)).collect::<Result<Vec<u64>>>()?;
        let number = cursor.u32(name)?;
        let Some(kind) = TensorKind::of(number) else {
            let known = TensorKind::names();
            return fail(cursor, &format!("is of type {number}, which is not supported; only {known} are"));
        };
        let offset = cursor.u64(name)?;
        let Some(size) = kind.size(&dimensions) else {
            let problem =
                format!("shape {dimensions:?} is too large, has a 0, or does not divide into blocks of its type");
            return fail(cursor, &problem);
        };
        let Some((start, end)) = usize::try_from(offset).ok().and_then(|at| Some((at, at.checked_add(size)?))) else {
            return fail(cursor, &format!("offset {offset} is too large"));
        };
        // The sizes just checked fit a usize, so each dimension does.
        let dimensions = dimensions.iter().map(|dimension| *dimension as usize).collect();
        tensors.push(TensorInfo { name: name.into(), kind, dimensions, start, end });
    }
    Ok(tensors)
}
