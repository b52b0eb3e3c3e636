//! An open GGUF file: metadata by name and type, tensors placed within the file.
//!
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::weights::gguf::cursor::{Cursor, Scalar};
use crate::weights::gguf::header::{TensorInfo, Value, read_metadata, read_tensors};
use crate::weights::mapped::MappedFile;

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
            other => {
                Err(self.error("general.alignment", &format!("is {other}; it must be a power of 2, 8 to 1048576")))
            }
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
