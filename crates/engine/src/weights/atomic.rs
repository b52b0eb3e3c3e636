//! Files that appear whole or not at all: written to a temporary name, synced, renamed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Writes a file through `write`; on an error or a crash the old file, if any, stays as it was.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let fail = |error: std::io::Error| Error::new(format!("{}: cannot be written: {error}", path.display()));
    let temporary = Temporary(temporary_name(path));
    let mut output = BufWriter::with_capacity(1 << 20, File::create(&temporary.0).map_err(fail)?);
    write(&mut output)?;
    let file = output.into_inner().map_err(|error| fail(error.into_error()))?;
    file.sync_all().map_err(fail)?;
    drop(file);
    fs::rename(&temporary.0, path).map_err(fail)?;
    sync_folder(path).map_err(fail)
}

/// A temporary file, removed when dropped; after the rename there is none to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing is there after a success, and after a failure the first error is the one to report.
        let _ = fs::remove_file(&self.0);
    }
}

/// A name that no other write of this or another process uses.
fn temporary_name(path: &Path) -> PathBuf {
    static WRITES: AtomicUsize = AtomicUsize::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial-{}-{number}", std::process::id()))
}

/// Makes the rename itself durable, where the system lets a folder be synced.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
