//! Writing safetensors files.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::weights::atomic::write_atomically;

/// A tensor's values.
#[derive(Debug, Clone, Copy)]
pub enum SafetensorsData<'a> {
    F32(&'a [f32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
}

/// A tensor to write: its shape is row-major and has as many elements as `data`.
#[derive(Debug, Clone)]
pub struct SafetensorsEntry<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub data: SafetensorsData<'a>,
}

impl SafetensorsData<'_> {
    fn dtype(&self) -> (&'static str, usize, usize) {
        match self {
            SafetensorsData::F32(values) => ("F32", 4, values.len()),
            SafetensorsData::I64(values) => ("I64", 8, values.len()),
            SafetensorsData::U8(values) => ("U8", 1, values.len()),
        }
    }

    fn write(&self, output: &mut dyn Write) -> std::io::Result<()> {
        match self {
            SafetensorsData::F32(values) => values.iter().try_for_each(|value| output.write_all(&value.to_le_bytes())),
            SafetensorsData::I64(values) => values.iter().try_for_each(|value| output.write_all(&value.to_le_bytes())),
            SafetensorsData::U8(values) => output.write_all(values),
        }
    }
}

/// Writes a file whole or not at all. Values keep their bits.
///
/// # Errors
/// A shape that does not fit its data, a name given twice, or a failure of the disk.
pub fn write_safetensors(path: &Path, entries: &[SafetensorsEntry], metadata: &[(&str, &str)]) -> Result<()> {
    let name = path.display();
    let mut planned = Vec::new();
    for entry in entries {
        let (dtype, size, length) = entry.data.dtype();
        let elements = entry.shape.iter().try_fold(1usize, |total, dimension| total.checked_mul(*dimension));
        if elements != Some(length) {
            let (tensor, shape) = (entry.name, entry.shape);
            return Err(Error::new(format!("{name}: tensor '{tensor}' of shape {shape:?} has {length} elements")));
        }
        planned.push((entry.name, dtype, entry.shape, size * length));
    }
    let header = header(&name.to_string(), &planned, metadata)?;
    write_atomically(path, |output| {
        let fail = |error| Error::new(format!("{name}: cannot be written: {error}"));
        output.write_all(&header).map_err(fail)?;
        entries.iter().try_for_each(|entry| entry.data.write(output)).map_err(fail)
    })
}

/// The header of tensors (name, dtype, shape, bytes) in this order, its length in front.
pub(crate) fn header(
    file: &str,
    tensors: &[(&str, &str, &[usize], usize)],
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>> {
    let mut object = Map::new();
    if !metadata.is_empty() {
        let strings: Map<String, Value> = metadata.iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
        object.insert("__metadata__".into(), Value::Object(strings));
    }
    let mut position = 0;
    for (name, dtype, shape, size) in tensors {
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]});
        if object.insert(name.to_string(), entry).is_some() {
            return Err(Error::new(format!("{file}: tensor '{name}' is given twice")));
        }
        position += size;
    }
    let mut text = serde_json::to_vec(&Value::Object(object)).expect("strings and numbers are always JSON");
    // Spaces up to a multiple of 8, so that the data is aligned when the file is mapped.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}
