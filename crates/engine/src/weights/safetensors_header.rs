//! The header of a safetensors file: 8 bytes of length, then JSON that says where each tensor lies. The checks are those
//! of the format's reference: tensors fill the data exactly, without overlap and without holes.

use serde::Deserialize;
use serde::de::MapAccess;

use crate::error::Result;
use crate::weights::mapped::MappedFile;
use crate::weights::unique_map::{NamedValue, UniqueMap};

/// Longest header that the format's reference reads, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// Most dimensions of a tensor; no layer has more than 5.
const MAX_RANK: usize = 8;

/// A tensor as the header describes it, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorInfo {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    /// Bytes from the start of the file.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug)]
pub(crate) struct Header {
    /// In the order of their bytes.
    pub(crate) tensors: Vec<TensorInfo>,
    pub(crate) metadata: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header's entries: `__metadata__` holds strings, every other name a tensor.
enum Entry {
    Tensor(RawTensor),
    Strings(UniqueMap<String>),
}

impl<'de> NamedValue<'de> for Entry {
    fn read<A: MapAccess<'de>>(name: &str, map: &mut A) -> std::result::Result<Self, A::Error> {
        if name == "__metadata__" { map.next_value().map(Entry::Strings) } else { map.next_value().map(Entry::Tensor) }
    }
}

/// Bytes of an element of the type, where the type is one of whole bytes.
pub(crate) fn element_size(dtype: &str) -> Option<usize> {
    match dtype {
        "F64" | "I64" | "U64" => Some(8),
        "F32" | "I32" | "U32" => Some(4),
        "F16" | "BF16" | "I16" | "U16" => Some(2),
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => Some(1),
        _ => None,
    }
}

/// Reads and checks the header.
pub(crate) fn read_header(file: &MappedFile) -> Result<Header> {
    let bytes = file.bytes();
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(
            file.error(format!("has {} bytes; a safetensors file begins with 8 bytes of header length", bytes.len()))
        );
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER || length > rest.len() as u64 {
        let left = rest.len();
        return Err(
            file.error(format!("header length is {length}, but {left} bytes follow and {MAX_HEADER} is the most"))
        );
    }
    let (header, data) = rest.split_at(length as usize);
    let text = std::str::from_utf8(header).map_err(|error| file.error(format!("header is not UTF-8: {error}")))?;
    let entries: UniqueMap<Entry> =
        serde_json::from_str(text).map_err(|error| file.error(format!("header: {error}")))?;
    let (mut tensors, mut metadata) = (Vec::new(), Vec::new());
    for (name, entry) in entries.0 {
        match entry {
            Entry::Strings(strings) => metadata = strings.0,
            Entry::Tensor(raw) => tensors.push(check_tensor(file, name, raw, 8 + header.len(), data.len())?),
        }
    }
    tensors.sort_by_key(|tensor| (tensor.start, tensor.end));
    check_coverage(file, &tensors, 8 + header.len(), bytes.len())?;
    Ok(Header { tensors, metadata })
}

fn check_tensor(file: &MappedFile, name: String, raw: RawTensor, base: usize, length: usize) -> Result<TensorInfo> {
    let fail = |problem: String| Err(file.error(format!("tensor '{name}': {problem}")));
    let Some(size) = element_size(&raw.dtype) else {
        return fail(format!("dtype '{}' is not supported", raw.dtype));
    };
    if raw.shape.len() > MAX_RANK {
        return fail(format!("shape has {} dimensions; at most {MAX_RANK} are supported", raw.shape.len()));
    }
    let (begin, end) = raw.data_offsets;
    if begin > end || end > length as u64 {
        return fail(format!("data_offsets [{begin}, {end}] are not within the {length} bytes of data"));
    }
    let wanted = raw.shape.iter().try_fold(size as u64, |total, dimension| total.checked_mul(*dimension));
    if wanted != Some(end - begin) {
        let held = end - begin;
        return fail(format!("shape {:?} of {} does not take the {held} bytes of data_offsets", raw.shape, raw.dtype));
    }
    let shape = raw.shape.iter().map(|dimension| usize::try_from(*dimension)).collect::<std::result::Result<_, _>>();
    let Ok(shape) = shape else { return fail(format!("shape {:?} is too large", raw.shape)) };
    Ok(TensorInfo { name, dtype: raw.dtype, shape, start: base + begin as usize, end: base + end as usize })
}

fn check_coverage(file: &MappedFile, tensors: &[TensorInfo], base: usize, length: usize) -> Result<()> {
    let mut position = base;
    for tensor in tensors {
        if tensor.start != position {
            let what = if tensor.start < position { "overlap those of another tensor" } else { "leave a hole" };
            return Err(file.error(format!("tensor '{}': data_offsets {what}", tensor.name)));
        }
        position = tensor.end;
    }
    if position != length {
        return Err(file.error(format!("{} bytes after the last tensor belong to none", length - position)));
    }
    Ok(())
}
