//! The GGUF container: metadata by name, tensors by name. Arrays stay in the file and are decoded when asked for.
//!
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::weights::gguf::cursor::{Cursor, Scalar, ScalarKind};
use crate::weights::gguf::dequantize::TensorKind;
use crate::weights::mapped::MappedFile;

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// ggml's most dimensions of a tensor.
const MAX_RANK: u32 = 4;

#[derive(Debug, Clone, Copy)]
enum Value {
    Scalar(Scalar),
    /// The position of its length.
    Text(usize),
    Scalars { kind: ScalarKind, count: u64, position: usize },
    Texts { count: u64, position: usize },
}

/// A tensor, its bytes checked to lie in the file.
#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    pub(super) kind: TensorKind,
    /// Fastest first: [inputs, outputs] of a matrix.
    pub(super) dimensions: Vec<usize>,
    /// Bytes from the start of the file.
    start: usize,
    end: usize,
}

#[derive(Debug)]
pub(super) struct GgufFile {
    file: MappedFile,
    metadata: HashMap<String, Value>,
    pub(super) tensors: Vec<TensorInfo>,
}

impl GgufFile {
    pub(super) fn open(file: MappedFile) -> Result<Self> {
        let mut cursor = Cursor::new(&file, 0);
        if cursor.take(4, "magic")? != b"GGUF" {
            return Err(file.error("does not begin with GGUF"));
        }
        let version = cursor.u32("version")?;
        if version != 2 && version != 3 {
            return Err(file.error(format!("version is {version}; only 2 and 3, little-endian, are supported")));
        }
        let (tensor_count, metadata_count) = (cursor.u64("tensor_count")?, cursor.u64("metadata_kv_count")?);
        let metadata = read_metadata(&mut cursor, metadata_count)?;
        let mut tensors = read_tensors(&mut cursor, tensor_count)?;
        let position = cursor.position;
        let mut open = Self { file, metadata, tensors: Vec::new() };
        let base = position.next_multiple_of(open.alignment()?);
        open.place(&mut tensors, base)?;
        open.tensors = tensors;
        Ok(open)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    pub(super) fn tensor_bytes(&self, tensor: &TensorInfo) -> &[u8] {
        &self.file.bytes()[tensor.start..tensor.end]
    }

    pub(super) fn name(&self) -> &str {
        self.file.name()
    }

    /// An error about a field of the metadata.
    pub(super) fn error(&self, field: &str, problem: &str) -> Error {
        self.file.error(format!("{field} {problem}"))
    }

    fn wrong(&self, field: &str, wanted: &str) -> Error {
        self.error(field, &format!("must be {wanted}"))
    }

    pub(super) fn architecture(&self) -> Result<&str> {
        self.text("general.architecture")?.ok_or_else(|| self.error("general.architecture", "is missing"))
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.metadata.contains_key(field)
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<&str>> {
        match self.metadata.get(field) {
            None => Ok(None),
            Some(Value::Text(position)) => Cursor::new(&self.file, *position).text(field).map(Some),
            Some(_) => Err(self.wrong(field, "a string")),
        }
    }

    /// A count; of an array, the one count that all its entries are.
    pub(super) fn count(&self, field: &str) -> Result<Option<usize>> {
        let wanted = "one whole number of at least 0";
        let scalar = match self.metadata.get(field) {
            None => return Ok(None),
            Some(Value::Scalar(scalar)) => *scalar,
            Some(Value::Scalars { .. }) => {
                let all = self.scalars(field)?.unwrap_or_default();
                match all.split_first() {
                    Some((first, rest)) if rest.iter().all(|other| other == first) => *first,
                    _ => return Err(self.wrong(field, wanted)),
                }
            }
            Some(_) => return Err(self.wrong(field, wanted)),
        };
        match scalar {
            Scalar::Whole(value) => usize::try_from(value).map(Some).map_err(|_| self.wrong(field, wanted)),
            _ => Err(self.wrong(field, wanted)),
        }
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<f64>> {
        match self.metadata.get(field) {
            None => Ok(None),
            Some(Value::Scalar(Scalar::Real(value))) if value.is_finite() => Ok(Some(*value)),
            Some(_) => Err(self.wrong(field, "a finite number")),
        }
    }

    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>> {
        match self.metadata.get(field) {
            None => Ok(None),
            Some(Value::Scalar(Scalar::Flag(value))) => Ok(Some(*value)),
            Some(_) => Err(self.wrong(field, "true or false")),
        }
    }

    /// A token id below 2^32.
    pub(super) fn token_id(&self, field: &str) -> Result<Option<u32>> {
        let id = self.count(field)?;
        id.map(|id| u32::try_from(id).map_err(|_| self.wrong(field, "a token id"))).transpose()
    }

    pub(super) fn texts(&self, field: &str) -> Result<Option<Vec<&str>>> {
        match self.metadata.get(field) {
            None => Ok(None),
            Some(Value::Texts { count, position }) => {
                let mut cursor = Cursor::new(&self.file, *position);
                (0..*count).map(|_| cursor.text(field)).collect::<Result<_>>().map(Some)
            }
            Some(_) => Err(self.wrong(field, "an array of strings")),
        }
    }

    pub(super) fn scalars(&self, field: &str) -> Result<Option<Vec<Scalar>>> {
        match self.metadata.get(field) {
            None => Ok(None),
            Some(Value::Scalars { kind, count, position }) => {
                let mut cursor = Cursor::new(&self.file, *position);
                (0..*count).map(|_| cursor.scalar(*kind, field)).collect::<Result<_>>().map(Some)
            }
            Some(_) => Err(self.wrong(field, "an array of numbers")),
        }
    }

    fn alignment(&self) -> Result<usize> {
        match self.count("general.alignment")?.unwrap_or(32) {
            alignment if alignment.is_power_of_two() && (8..=1 << 20).contains(&alignment) => Ok(alignment),
            other => Err(self.error("general.alignment", &format!("is {other}; it must be a power of 2, 8 to 1048576"))),
        }
    }

    /// Turns offsets within the data into positions in the file, checked against its size and against each other.
    fn place(&self, tensors: &mut [TensorInfo], base: usize) -> Result<()> {
        let (alignment, length) = (self.alignment()?, self.file.bytes().len());
        for tensor in tensors.iter_mut() {
            let fail = |problem: String| Err(self.file.error(format!("tensor '{}': {problem}", tensor.name)));
            let size = tensor.end - tensor.start;
            if tensor.start % alignment != 0 {
                return fail(format!("offset {} is no multiple of the alignment {alignment}", tensor.start));
            }
            let Some(end) = base.checked_add(tensor.start).and_then(|start| start.checked_add(size)) else {
                return fail(format!("offset {} is too large", tensor.start));
            };
            if end > length {
                return fail(format!("ends at byte {end}, but the file has {length}"));
            }
            (tensor.start, tensor.end) = (end - size, end);
        }
        let mut order: Vec<&TensorInfo> = tensors.iter().collect();
        order.sort_by_key(|tensor| (tensor.start, tensor.end));
        match order.windows(2).find(|pair| pair[1].start < pair[0].end) {
            Some(pair) => {
                let (first, second) = (&pair[0].name, &pair[1].name);
                Err(self.file.error(format!("tensor '{second}': offset overlaps tensor '{first}'")))
            }
            None => Ok(()),
        }
    }
}

fn read_metadata(cursor: &mut Cursor, count: u64) -> Result<HashMap<String, Value>> {
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

/// The tensors with their offsets within the data; `place` makes them positions in the file.
fn read_tensors(cursor: &mut Cursor, count: u64) -> Result<Vec<TensorInfo>> {
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
            let problem = format!("shape {dimensions:?} is too large, has a 0, or does not divide into blocks of its type");
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
