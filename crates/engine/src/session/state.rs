//! What a trained model leaves on disk: its exact state for going on, and its weights for others.

use std::collections::HashMap;
use std::path::Path;

use super::model::Model;
use crate::config::{Parameter, ParameterKind};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::layout::VALUE_HEAD;
use crate::optim::Parameters;
use crate::weights::{
    self, AdapterTensor, Dtype, SafetensorsData, SafetensorsEntry, SafetensorsFile, read_adapter, save_checkpoint,
    write_adapter, write_safetensors,
};

const FILE: &str = "state.safetensors";
const STEPS: &str = "steps";

fn trained<E>(model: &Model<E>) -> Result<&Parameters> {
    model
        .trained
        .as_ref()
        .ok_or_else(|| Error::new("this model is not trained, so it has no state; make one with trainable()"))
}

/// Writes values, moments and the step count, exactly, in one file that is complete or absent.
pub fn save<E: GemmElement>(model: &Model<E>, directory: &Path) -> Result<()> {
    let parameters = trained(model)?;
    std::fs::create_dir_all(directory)
        .map_err(|error| Error::new(format!("{}: cannot be made: {error}", directory.display())))?;
    let mut entries: Vec<(String, [usize; 2], &[f32])> = Vec::new();
    for part in &parameters.parts {
        for (kind, buffers) in
            [("value", &parameters.values), ("first", &parameters.first), ("second", &parameters.second)]
        {
            if let Some(buffer) = buffers.get(part.buffer) {
                entries.push((format!("{kind}.{}", part.name), [part.rows, part.columns], &buffer[part.range()]));
            }
        }
    }
    let steps = [parameters.steps as i64];
    let mut tensors: Vec<SafetensorsEntry<'_>> = entries
        .iter()
        .map(|(name, shape, data)| SafetensorsEntry { name, shape, data: SafetensorsData::F32(data) })
        .collect();
    tensors.push(SafetensorsEntry { name: STEPS, shape: &[1], data: SafetensorsData::I64(&steps) });
    write_safetensors(&directory.join(FILE), &tensors, &[("format", "whetstone-state-1")])
}

/// Reads what `save` wrote for a model made the same way. On an error the model is as it was.
pub fn load<E: GemmElement>(model: &mut Model<E>, directory: &Path) -> Result<()> {
    let parameters = trained(model)?;
    let path = directory.join(FILE);
    let file = SafetensorsFile::open(&path)?;
    let stepped = file.names().any(|name| name.starts_with("first."));
    let mut read: HashMap<&str, Vec<Vec<f32>>> = HashMap::new();
    for kind in if stepped { &["value", "first", "second"][..] } else { &["value"][..] } {
        let mut buffers: Vec<Vec<f32>> = parameters.values.iter().map(|values| vec![0.0; values.len()]).collect();
        for part in &parameters.parts {
            let name = format!("{kind}.{}", part.name);
            let shape = [part.rows, part.columns];
            if file.shape(&name)? != shape {
                let (has, name) = (file.shape(&name)?, part.name.as_str());
                let problem = format!("{}: {name} has shape {has:?}; this model's is {shape:?}", path.display());
                return Err(Error::new(format!("{problem}. Load it into a model made as the saved one was")));
            }
            buffers[part.buffer][part.range()].copy_from_slice(&file.read_f32(&name)?);
        }
        read.insert(kind, buffers);
    }
    let steps = file.read_i64(STEPS)?.first().copied().unwrap_or(0);
    if let Some(parameters) = &mut model.trained {
        parameters.values = read.remove("value").unwrap_or_default();
        parameters.first = read.remove("first").unwrap_or_default();
        parameters.second = read.remove("second").unwrap_or_default();
        parameters.steps = steps as u64;
        parameters.clear_gradients();
    }
    model.publish();
    Ok(())
}

/// Writes a checkpoint in Hugging Face's form; an adapter in PEFT's. Values are the exact ones, where they are known.
pub fn save_weights<E: GemmElement>(model: &Model<E>, directory: &Path, bf16: bool) -> Result<()> {
    let layout = &model.weights.layout;
    if let (Some(adapter), Some(values)) = (&model.adapter, model.adapter_values()) {
        let tensors = adapter.shapes.iter().zip(values).map(|((name, rows, columns), values)| AdapterTensor {
            name: name.clone(),
            shape: vec![*rows, *columns],
            values: values.clone(),
        });
        let adapter = weights::Adapter {
            rank: adapter.config.rank,
            alpha: adapter.config.alpha,
            target_modules: adapter.config.targets.clone(),
            tensors: tensors.collect(),
        };
        return write_adapter(directory, &adapter, "");
    }
    let mut parameters = layout.config.parameters();
    if layout.value_head {
        let shape = vec![1, layout.config.hidden_size];
        parameters.push(Parameter { name: VALUE_HEAD.into(), shape, kind: ParameterKind::Head });
    }
    let dtype = if bf16 { Dtype::Bf16 } else { Dtype::F32 };
    save_checkpoint(directory, &layout.config, &parameters, dtype, |parameter| {
        let place = layout.find(&parameter.name)?;
        if let Some(trained) = &model.trained {
            let columns = layout.shapes[place.tensor].columns;
            return Ok(trained.values[place.tensor][place.rows.start * columns..place.rows.end * columns].to_vec());
        }
        model.exact(layout, place)
    })
}

/// Reads a PEFT adapter into a model that trains one of the same rank and modules.
pub fn load_adapter<E: GemmElement>(model: &mut Model<E>, directory: &Path) -> Result<()> {
    let Some(own) = &model.adapter else {
        return Err(Error::new("loadAdapter: this model has no adapter; make one with trainable({ lora })"));
    };
    let file = read_adapter(directory)?;
    let name = directory.display();
    if file.rank != own.config.rank || file.alpha != own.config.alpha {
        let (rank, alpha) = (own.config.rank, own.config.alpha);
        let problem = format!("{name}: rank {} and alpha {}; this model has {rank} and {alpha}", file.rank, file.alpha);
        return Err(Error::new(problem));
    }
    let shapes = own.shapes.clone();
    let mut values = Vec::with_capacity(shapes.len());
    for (parameter, rows, columns) in &shapes {
        let found = file.tensors.iter().find(|tensor| tensor.name == *parameter);
        let tensor = found.ok_or_else(|| Error::new(format!("{name}: has no tensor '{parameter}'")))?;
        if tensor.values.len() != rows * columns {
            let problem = format!("{name}: '{parameter}' has shape {:?}; it must be [{rows}, {columns}]", tensor.shape);
            return Err(Error::new(problem));
        }
        values.push(tensor.values.clone());
    }
    if let Some(extra) = file.tensors.iter().find(|tensor| shapes.iter().all(|shape| shape.0 != tensor.name)) {
        return Err(Error::new(format!("{name}: has '{}', which this model's adapter lacks", extra.name)));
    }
    if let Some(parameters) = &mut model.trained {
        parameters.values = values;
    }
    model.publish();
    Ok(())
}
