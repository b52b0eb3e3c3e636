//! Models made from models: copies to train, and frozen ones of what is trained.

use std::sync::Arc;

use super::model::{Model, next_version};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::memory::prefer_large_pages;
use crate::model::adapter::{Adapter, LoraConfig};
use crate::model::layout::{Layout, Place, Slot, VALUE_HEAD};
use crate::model::weights::Weights;
use crate::ops::math::add_scaled;
use crate::optim::{ParameterPart, Parameters};

/// A copy to train: all weights, or an adapter on them, with a scalar head where `value_head` is set. It starts from what
/// the model holds: of a snapshot, its own weights and its own scalar head.
///
/// # Errors
/// The model is being trained, or has a frozen adapter and another adapter is asked for.
pub fn trainable<E: GemmElement>(
    base: &Model<E>,
    lora: Option<LoraConfig>,
    value_head: bool,
    seed: u64,
) -> Result<Model<E>> {
    if base.trained.is_some() {
        return Err(Error::new("trainable: this model is being trained already; take a snapshot() or the base"));
    }
    if base.adapter.is_some() && lora.is_some() {
        return Err(Error::new(
            "trainable: this model has an adapter, and only one can be held at a time. Go on training the model that it \
             is a snapshot of; or, with an adapter of a folder, what its base's trainable({ lora }) gives, by \
             loadAdapter(folder); or merge the adapter with trainable({ full: true })",
        ));
    }
    let (layout, weights) = with_head(base, value_head)?;
    let mut model = base.derive(weights);
    match lora {
        Some(lora) => adapt(&mut model, &layout, lora, seed)?,
        None => {
            model.trained = Some(Parameters::new(full_parts(&layout), full_values(base, &layout)?));
            model.version = next_version();
            if base.adapter.is_some() {
                model.publish();
            }
        }
    }
    Ok(model)
}

/// The base's layout and weights with a scalar head, or without one.
pub(super) fn with_head<E: GemmElement>(base: &Model<E>, value_head: bool) -> Result<(Arc<Layout>, Weights<E>)> {
    let layout = Arc::new(Layout::new(base.weights.layout.config.clone(), value_head));
    let weights = base.weights.clone();
    if value_head == weights.layout.value_head {
        return Ok((layout, weights));
    }
    let weights = weights.with_layout(&base.pool, &layout, |place| base.exact(&layout, place))?;
    Ok((layout, weights))
}

/// Adds a new adapter, which changes nothing until it is trained.
fn adapt<E: GemmElement>(model: &mut Model<E>, layout: &Layout, lora: LoraConfig, seed: u64) -> Result<()> {
    let mut adapter = Adapter::new(layout, lora)?;
    let mut values = adapter.initial(seed);
    if layout.value_head
        && let Some(last) = values.last_mut()
    {
        *last = model.weights.vector(layout.value()).to_vec();
    }
    for (index, values) in values.iter().enumerate() {
        adapter.set(&model.pool, index, values);
    }
    model.trained = Some(Parameters::new(adapter_parts(&adapter), values));
    model.adapter = Some(Arc::new(adapter));
    model.adapter_version = next_version();
    Ok(())
}

/// Values of all tensors, an adapter merged into them: `W + (alpha / rank) B A`.
fn full_values<E: GemmElement>(base: &Model<E>, layout: &Layout) -> Result<Vec<Vec<f32>>> {
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); layout.shapes.len()];
    for place in &layout.places {
        let tensor = &mut values[place.tensor];
        if tensor.is_empty() {
            tensor.reserve_exact(layout.shapes[place.tensor].length());
            prefer_large_pages(tensor);
        }
        tensor.extend(base.exact(layout, place)?);
    }
    if let (Some(adapter), Some(parts)) = (&base.adapter, base.adapter_values()) {
        let rank = adapter.config.rank;
        for (&tensor, modules) in &adapter.modules {
            let columns = layout.shapes[tensor].columns;
            for module in modules {
                let (a, b) = (&parts[module.a_index], &parts[module.b_index]);
                let rows = &mut values[tensor][module.rows.start * columns..module.rows.end * columns];
                for (row, b) in rows.chunks_exact_mut(columns).zip(b.chunks_exact(rank)) {
                    for (a, factor) in a.chunks_exact(columns).zip(b) {
                        add_scaled(row, a, adapter.scale() * factor);
                    }
                }
            }
        }
    }
    Ok(values)
}

/// The model as it is now, frozen.
pub fn snapshot<E: GemmElement>(of: &Model<E>) -> Model<E> {
    let mut model = of.derive(of.weights.clone());
    // An adapter leaves the weights below it as they were.
    model.pristine = of.pristine && (of.trained.is_none() || of.adapter.is_some());
    model.adapter = of.adapter.clone();
    model.adapter_version = of.adapter_version;
    model.frozen = match &of.trained {
        Some(parameters) if of.adapter.is_some() => Some(Arc::new(parameters.values.clone())),
        _ => of.frozen.clone(),
    };
    model
}

fn full_parts(layout: &Layout) -> Vec<ParameterPart> {
    let hidden = layout.layer(0, Slot::AttentionNorm)..layout.final_norm();
    let part = |place: &Place| {
        let shape = layout.shapes[place.tensor];
        ParameterPart {
            name: place.name.clone(),
            buffer: place.tensor,
            offset: place.rows.start * shape.columns,
            rows: place.rows.len(),
            columns: shape.columns,
            decays: shape.matrix,
            hidden: shape.matrix && hidden.contains(&place.tensor),
        }
    };
    layout.places.iter().map(part).collect()
}

fn adapter_parts<E>(adapter: &Adapter<E>) -> Vec<ParameterPart> {
    let part = |(buffer, (name, rows, columns)): (usize, &(String, usize, usize))| ParameterPart {
        name: name.clone(),
        buffer,
        offset: 0,
        rows: *rows,
        columns: *columns,
        decays: name != VALUE_HEAD,
        hidden: name != VALUE_HEAD,
    };
    adapter.shapes.iter().enumerate().map(part).collect()
}
