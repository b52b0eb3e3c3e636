//! A file's bytes, mapped into memory rather than read.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The bytes of a file and the name that errors give it.
#[derive(Debug)]
pub(crate) struct MappedFile {
    bytes: Bytes,
    name: String,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    #[cfg(test)]
    Owned(Vec<u8>),
}

impl MappedFile {
    /// Maps a regular file. Whoever shortens the file while it is mapped ends the process, as with any mapped file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let fail = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => Error::new(format!("{name}: is missing")),
            _ => Error::new(format!("{name}: cannot be read: {error}")),
        };
        let metadata = fs::metadata(path).map_err(fail)?;
        if !metadata.is_file() {
            return Err(Error::new(format!("{name}: is not a file")));
        }
        if metadata.len() == 0 {
            return Err(Error::new(format!("{name}: is empty")));
        }
        let file = File::open(path).map_err(fail)?;
        // SAFETY: the mapping is read-only and private to this process; the bytes are only ever read as plain numbers and
        // checked text, for which any value is valid.
        let map = unsafe { Mmap::map(&file) }.map_err(fail)?;
        Ok(Self { bytes: Bytes::Mapped(map), name })
    }

    /// Bytes already in memory, as if they were the file `name`.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: Vec<u8>, name: &str) -> Self {
        Self { bytes: Bytes::Owned(bytes), name: name.into() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            #[cfg(test)]
            Bytes::Owned(bytes) => bytes,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An error about this file.
    pub(crate) fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::new(format!("{}: {problem}", self.name))
    }
}

/// A text file's content, without the byte order mark that some editors put first; `None` where there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let file = MappedFile::open(path)?;
    let text = std::str::from_utf8(file.bytes()).map_err(|error| file.error(format!("is not UTF-8: {error}")))?;
    Ok(Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_string()))
}
