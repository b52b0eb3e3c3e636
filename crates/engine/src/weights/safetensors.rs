//! Reading safetensors files.

use std::collections::HashMap;
use std::path::Path;

use crate::error::Result;
use crate::weights::mapped::MappedFile;
use crate::weights::numbers::{bf16_from_le, f16_from_le, f32_from_le};
use crate::weights::safetensors_header::{Header, TensorInfo, read_header};

/// An open safetensors file, its header checked. Tensors are read when asked for.
#[derive(Debug)]
pub struct SafetensorsFile {
    file: MappedFile,
    header: Header,
    by_name: HashMap<String, usize>,
}

impl SafetensorsFile {
    /// Opens a file and checks its header against its size.
    ///
    /// # Errors
    /// Names the file and the tensor or field that is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_file(MappedFile::open(path)?)
    }

    pub(crate) fn from_file(file: MappedFile) -> Result<Self> {
        let header = read_header(&file)?;
        let by_name = header.tensors.iter().enumerate().map(|(index, tensor)| (tensor.name.clone(), index)).collect();
        Ok(Self { file, header, by_name })
    }

    /// Names of all tensors, in the order of their bytes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.tensors.iter().map(|tensor| tensor.name.as_str())
    }

    /// The strings under `__metadata__`.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.header.metadata
    }

    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A tensor's shape, row-major.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.info(name)?.shape)
    }

    /// A tensor's values, row-major, converted exactly. The tensor must be F32, F16 or BF16.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let info = self.info(name)?;
        let bytes = &self.file.bytes()[info.start..info.end];
        match info.dtype.as_str() {
            "F32" => Ok(f32_from_le(bytes)),
            "F16" => Ok(f16_from_le(bytes)),
            "BF16" => Ok(bf16_from_le(bytes)),
            _ => Err(self.wrong_type(info, "F32, F16 or BF16")),
        }
    }

    /// A tensor's values, row-major. The tensor must be I64.
    pub fn read_i64(&self, name: &str) -> Result<Vec<i64>> {
        let info = self.info(name)?;
        if info.dtype != "I64" {
            return Err(self.wrong_type(info, "I64"));
        }
        let bytes = &self.file.bytes()[info.start..info.end];
        Ok(bytes.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect())
    }

    /// A tensor's values, row-major. The tensor must be U8.
    pub fn read_u8(&self, name: &str) -> Result<Vec<u8>> {
        let info = self.info(name)?;
        if info.dtype != "U8" {
            return Err(self.wrong_type(info, "U8"));
        }
        Ok(self.file.bytes()[info.start..info.end].to_vec())
    }

    /// All bytes of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// The file's name in errors.
    pub(crate) fn name(&self) -> &str {
        self.file.name()
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        let index = self.by_name.get(name).ok_or_else(|| self.file.error(format!("has no tensor '{name}'")))?;
        Ok(&self.header.tensors[*index])
    }

    fn wrong_type(&self, info: &TensorInfo, wanted: &str) -> crate::error::Error {
        self.file.error(format!("tensor '{}' is {}; it must be {wanted}", info.name, info.dtype))
    }
}
