//! Adapters of PEFT folders: put on a base, or read into a model that trains one.

use std::path::Path;
use std::sync::Arc;

use super::model::{Model, next_version};
use super::trainable::with_head;
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::model::adapter::{Adapter, LoraConfig, MODULES};
use crate::model::layout::{Layout, VALUE_HEAD};
use crate::weights::{self, ADAPTER_CONFIG, ADAPTER_WEIGHTS, read_adapter};

/// The base with a folder's adapter on it, frozen as a snapshot of the trained model is. The base's weights are shared.
///
/// # Errors
/// Names the file, and the field or tensor that is damaged, not supported, or does not fit this base.
pub fn put_on<E: GemmElement>(base: &Model<E>, folder: &Path) -> Result<Model<E>> {
    if base.adapter.is_some() || base.trained.is_some() {
        return Err(Error::new("an adapter goes on a base that is not trained and has none yet"));
    }
    let file = read_adapter(folder)?;
    let value_head = file.tensors.iter().any(|tensor| tensor.name == VALUE_HEAD);
    let (layout, weights) = with_head(base, value_head)?;
    let mut adapter = structure(&layout, &file, folder)?;
    let values = values_of(&file, &adapter.shapes, folder)?;
    for (index, values) in values.iter().enumerate() {
        adapter.set(&base.pool, index, values);
    }
    let mut model = base.derive(weights);
    if let Some(head) = values.last().filter(|_| value_head) {
        model.weights.replace(&base.pool, layout.value(), head);
    }
    model.adapter = Some(Arc::new(adapter));
    model.adapter_version = next_version();
    model.frozen = Some(Arc::new(values));
    Ok(model)
}

/// Reads a PEFT adapter into a model that trains one of the same rank and modules. The optimiser starts afresh.
pub fn load<E: GemmElement>(model: &mut Model<E>, folder: &Path) -> Result<()> {
    let Some(own) = &model.adapter else {
        return Err(Error::new("loadAdapter: this model has no adapter; make one with trainable({ lora })"));
    };
    if model.trained.is_none() {
        return Err(Error::new(
            "loadAdapter: a snapshot does not change; load into a model made with trainable({ lora })",
        ));
    }
    let file = read_adapter(folder)?;
    if file.rank != own.config.rank || file.alpha != own.config.alpha {
        let (name, rank, alpha) = (folder.display(), own.config.rank, own.config.alpha);
        let problem = format!("{name}: rank {} and alpha {}; this model has {rank} and {alpha}", file.rank, file.alpha);
        return Err(Error::new(problem));
    }
    let values = values_of(&file, &own.shapes, folder)?;
    if let Some(parameters) = &mut model.trained {
        parameters.restart(values);
    }
    model.publish();
    Ok(())
}

/// The file's adapter on this layout, its values still to be set.
fn structure<E: GemmElement>(layout: &Layout, file: &weights::Adapter, folder: &Path) -> Result<Adapter<E>> {
    let fail = |name: &str, problem: String| Err(Error::new(format!("{}: {problem}", folder.join(name).display())));
    let most = layout.config.hidden_size;
    if file.rank > most {
        return fail(
            ADAPTER_CONFIG,
            format!("r is {}; on this base it must be 1 to {most}, its hidden size", file.rank),
        );
    }
    let known = MODULES.map(|(name, _)| name);
    if let Some(other) = file.target_modules.iter().find(|name| !known.contains(&name.as_str())) {
        return fail(ADAPTER_WEIGHTS, format!("adapts '{other}'; it may adapt {}", known.join(", ")));
    }
    let targets = file.target_modules.clone();
    Adapter::new(layout, LoraConfig { rank: file.rank, alpha: file.alpha, targets })
}

/// The file's values in the order of `shapes`, each of which it has and beside which it has none.
fn values_of(file: &weights::Adapter, shapes: &[(String, usize, usize)], folder: &Path) -> Result<Vec<Vec<f32>>> {
    let fail = |problem: String| Error::new(format!("{}: {problem}", folder.join(ADAPTER_WEIGHTS).display()));
    let mut values = Vec::with_capacity(shapes.len());
    for (parameter, rows, columns) in shapes {
        let found = file.tensors.iter().find(|tensor| tensor.name == *parameter);
        let tensor =
            found.ok_or_else(|| fail(format!("has no tensor '{parameter}', which this model's adapter has")))?;
        if tensor.shape != [*rows, *columns] {
            let shape = &tensor.shape;
            return Err(fail(format!(
                "'{parameter}' has shape {shape:?}; for this model it must be [{rows}, {columns}]"
            )));
        }
        values.push(tensor.values.clone());
    }
    if let Some(extra) = file.tensors.iter().find(|tensor| shapes.iter().all(|shape| shape.0 != tensor.name)) {
        return Err(fail(format!("has '{}', which this model's adapter lacks", extra.name)));
    }
    Ok(values)
}
