//! What the engine uses of this machine.

use napi::{Error, Result};
use napi_derive::napi;
use whetstone_engine::isa::{Isa, checked_isa};

/// The engine's path through the instruction set.
#[napi(object)]
pub struct CpuPath {
    /// The path that kernels take in this process.
    pub chosen: String,
    /// The paths that this machine can run, fastest first.
    pub available: Vec<String>,
}

/// Errors: `WHETSTONE_ISA` names a path that this machine lacks.
#[napi]
pub fn cpu_path() -> Result<CpuPath> {
    let chosen = checked_isa().map_err(|error| Error::from_reason(error.to_string()))?;
    Ok(CpuPath {
        chosen: chosen.name().to_string(),
        available: Isa::ALL.iter().filter(|isa| isa.available()).map(|isa| isa.name().to_string()).collect(),
    })
}
