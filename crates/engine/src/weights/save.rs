//! A Hugging Face checkpoint folder out: `config.json` and `model.safetensors`.

use std::fs;
use std::path::Path;

use crate::config::{ModelConfig, Parameter};
use crate::error::{Error, Result};
use crate::weights::atomic::write_atomically;
use crate::weights::numbers::Dtype;
use crate::weights::safetensors_write::header;

/// Writes a checkpoint that `transformers` loads. `read` gives one parameter at a time, row-major, so that no second copy
/// of the model is ever in memory. `parameters` are usually `config.parameters()`; a scalar head can follow.
///
/// `config.json` is written last: a folder that has it is complete. The tokenizer's files are the caller's.
///
/// # Errors
/// Those of `read`, values that do not fit their parameter's shape, or a failure of the disk; `model.safetensors` then
/// stays as it was.
pub fn save_checkpoint(
    folder: &Path,
    config: &ModelConfig,
    parameters: &[Parameter],
    dtype: Dtype,
    read: impl FnMut(&Parameter) -> Result<Vec<f32>>,
) -> Result<()> {
    config.check("config")?;
    fs::create_dir_all(folder).map_err(|error| Error::new(format!("{}: cannot be made: {error}", folder.display())))?;
    write_parameters(&folder.join("model.safetensors"), parameters, dtype, read)?;
    let path = folder.join("config.json");
    write_atomically(&path, |output| {
        let text = config.to_json_with_dtype(dtype.torch_name());
        let fail = |error| Error::new(format!("{}: cannot be written: {error}", path.display()));
        output.write_all(text.as_bytes()).map_err(fail)
    })
}

/// Writes parameters one after another to a safetensors file, whole or not at all.
pub(crate) fn write_parameters(
    path: &Path,
    parameters: &[Parameter],
    dtype: Dtype,
    mut read: impl FnMut(&Parameter) -> Result<Vec<f32>>,
) -> Result<()> {
    let name = path.display().to_string();
    let elements = |parameter: &Parameter| parameter.shape.iter().product::<usize>();
    let planned: Vec<(&str, &str, &[usize], usize)> = parameters
        .iter()
        .map(|p| (p.name.as_str(), dtype.safetensors_name(), p.shape.as_slice(), elements(p) * dtype.size()))
        .collect();
    // transformers asks for the framework that wrote the file.
    let header = header(&name, &planned, &[("format", "pt")])?;
    write_atomically(path, |output| {
        let fail = |error| Error::new(format!("{name}: cannot be written: {error}"));
        output.write_all(&header).map_err(fail)?;
        for parameter in parameters {
            let values = read(parameter)?;
            if values.len() != elements(parameter) {
                let (tensor, shape, given) = (&parameter.name, &parameter.shape, values.len());
                return Err(Error::new(format!("{name}: tensor '{tensor}' of shape {shape:?} got {given} values")));
            }
            output.write_all(&dtype.encode(&values)).map_err(fail)?;
        }
        Ok(())
    })
}
