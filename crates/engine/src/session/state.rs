//! What a trained model leaves on disk: its exact state for going on, and its weights for others.

use std::collections::HashSet;
use std::path::Path;

use super::model::Model;
use crate::config::{Parameter, ParameterKind};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::memory::zeros;
use crate::model::adapter::LoraConfig;
use crate::model::layout::VALUE_HEAD;
use crate::optim::{OptimizerKind, Parameters};
use crate::weights::{
    self, AdapterTensor, Dtype, SafetensorsData, SafetensorsEntry, SafetensorsFile, save_checkpoint, write_adapter,
    write_safetensors,
};

const FILE: &str = "state.safetensors";
const STEPS: &str = "steps";
const OPTIMIZER: &str = "optimizer";

fn trained<E>(model: &Model<E>) -> Result<&Parameters> {
    model
        .trained
        .as_ref()
        .ok_or_else(|| Error::new("this model is not trained, so it has no state; make one with trainable()"))
}

/// What a state must agree with its model about, besides names and shapes, in the words of the error.
fn method<E: GemmElement>(model: &Model<E>) -> Vec<(&'static str, String)> {
    let adapter = model.adapter.as_ref().map(|adapter| &adapter.config);
    let of_adapter = |text: &dyn Fn(&LoraConfig) -> String| adapter.map_or("none".to_string(), text);
    let mut targets = adapter.map_or(Vec::new(), |config| config.targets.clone());
    targets.sort();
    vec![
        ("format", "whetstone-state-3".to_string()),
        ("method", if adapter.is_some() { "lora" } else { "full" }.to_string()),
        ("rank", of_adapter(&|config| config.rank.to_string())),
        ("alpha", of_adapter(&|config| config.alpha.to_string())),
        ("target modules", targets.join(", ")),
        ("value head", if model.weights.layout.value_head { "yes" } else { "no" }.to_string()),
    ]
}

/// Writes values, moments, the step count and how the model was made, exactly, in one file that is complete or absent.
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
    let method = method(model);
    let mut metadata: Vec<(&str, &str)> = method.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if let Some(kind) = parameters.moments_of {
        metadata.push((OPTIMIZER, kind.name()));
    }
    write_safetensors(&directory.join(FILE), &tensors, &metadata)
}

/// Reads what `save` wrote for a model made the same way. On an error the model is as it was.
///
/// # Errors
/// The state is of a model made in another way, lacks a tensor, or has one that this model lacks.
pub fn load<E: GemmElement>(model: &mut Model<E>, directory: &Path) -> Result<()> {
    let parameters = trained(model)?;
    let path = directory.join(FILE);
    let file = SafetensorsFile::open(&path)?;
    let fail = |problem: String| {
        let hint = "load it into a model made as the saved one was";
        Err(Error::new(format!("{}: {problem}; {hint}", path.display())))
    };
    for (name, own) in method(model) {
        let saved = file.metadata().iter().find(|(key, _)| key == name).map_or("absent", |(_, value)| value.as_str());
        if saved != own {
            return fail(format!("its {name} is {saved}, this model's is {own}"));
        }
    }
    let steps = file.read_i64(STEPS)?;
    let Some(steps) = steps.first().and_then(|&steps| u64::try_from(steps).ok()) else {
        return fail(format!("its {STEPS} are {steps:?}, which is no count"));
    };
    let optimizer = file.metadata().iter().find(|(key, _)| key == OPTIMIZER).map(|(_, value)| value.as_str());
    let moments_of = optimizer.and_then(OptimizerKind::named);
    if moments_of.is_some() != (steps > 0) {
        let optimizer = optimizer.unwrap_or("absent");
        return fail(format!("its {OPTIMIZER} is {optimizer} after {steps} steps"));
    }
    let kinds = if steps > 0 { &["value", "first", "second"][..] } else { &["value"][..] };
    let known: HashSet<String> = kinds
        .iter()
        .flat_map(|kind| parameters.parts.iter().map(move |part| format!("{kind}.{}", part.name)))
        .collect();
    if let Some(extra) = file.names().find(|&name| name != STEPS && !known.contains(name)) {
        return fail(format!("it has '{extra}', which this model's state lacks"));
    }
    let mut read: Vec<Vec<Vec<f32>>> = Vec::new();
    for kind in kinds {
        let mut buffers: Vec<Vec<f32>> = parameters.values.iter().map(|values| zeros(values.len())).collect();
        for part in &parameters.parts {
            let name = format!("{kind}.{}", part.name);
            let (saved, own) = (file.shape(&name)?, [part.rows, part.columns]);
            if saved != own {
                return fail(format!("its {} has shape {saved:?}, this model's {own:?}", part.name));
            }
            buffers[part.buffer][part.range()].copy_from_slice(&file.read_f32(&name)?);
        }
        read.push(buffers);
    }
    let mut read = read.into_iter();
    if let Some(parameters) = &mut model.trained {
        parameters.restart(read.next().unwrap_or_default());
        parameters.first = read.next().unwrap_or_default();
        parameters.second = read.next().unwrap_or_default();
        parameters.moments_of = moments_of;
        parameters.steps = steps;
    }
    model.publish();
    Ok(())
}

/// Writes a checkpoint in Hugging Face's form; an adapter in PEFT's, with the name of its base. Values are the exact ones, where
/// they are known.
pub fn save_weights<E: GemmElement>(model: &Model<E>, directory: &Path, bf16: bool, base: &str) -> Result<()> {
    let layout = &model.weights.layout;
    let dtype = if bf16 { Dtype::Bf16 } else { Dtype::F32 };
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
        return write_adapter(directory, &adapter, base, dtype);
    }
    let mut parameters = layout.config.parameters();
    if layout.value_head {
        let shape = vec![1, layout.config.hidden_size];
        parameters.push(Parameter { name: VALUE_HEAD.into(), shape, kind: ParameterKind::Head });
    }
    save_checkpoint(directory, &layout.config, &parameters, dtype, |parameter| {
        let place = layout.find(&parameter.name)?;
        if let Some(trained) = &model.trained {
            let columns = layout.shapes[place.tensor].columns;
            return Ok(trained.values[place.tensor][place.rows.start * columns..place.rows.end * columns].to_vec());
        }
        model.exact(layout, place)
    })
}
