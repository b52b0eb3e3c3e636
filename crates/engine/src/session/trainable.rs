//! Models made from models: copies to train, and frozen ones of what is trained.

use std::sync::Arc;

use super::model::{Model, next_version};
use crate::error::{Error, Result};
use crate::gemm::GemmElement;
use crate::memory::prefer_large_pages;
use crate::model::adapter::{Adapter, LoraConfig};
use crate::model::layout::Layout;
use crate::optim::{ParameterPart, Parameters};

pub fn trainable<E: GemmElement>(
    base: &Model<E>,
    lora: Option<LoraConfig>,
    value_head: bool,
    seed: u64,
) -> Result<Model<E>> {
    if base.trained.is_some() {
        return Err(Error::new("trainable: this model is being trained already; take a snapshot() or the base"));
    }
    let layout = Arc::new(Layout::new(base.weights.layout.config.clone(), value_head));
    let source = base.source.clone();
    let read =
        |place: &crate::model::layout::Place| source.read(&layout.config, place, layout.shapes[place.tensor].columns);
    let mut weights = base.weights.clone();
    if value_head {
        weights = weights.with_layout(&base.pool, &layout, read)?;
    }
    let mut model = Model::new(Arc::clone(&base.pool), base.options.clone(), source.clone(), weights);
    if let Some(lora) = lora {
        let mut adapter = Adapter::new(&layout, lora)?;
        let mut values = adapter.initial(seed);
        if value_head && let Some(last) = values.last_mut() {
            *last = model.weights.vector(layout.value()).to_vec();
        }
        for (index, values) in values.iter().enumerate() {
            adapter.set(&base.pool, index, values);
        }
        model.trained = Some(Parameters::new(adapter_parts(&adapter), values));
        model.adapter = Some(Arc::new(adapter));
        model.adapter_version = next_version();
        model.version = base.version;
        if !value_head {
            model.sampling = Arc::clone(&base.sampling);
        }
    } else {
        let mut values: Vec<Vec<f32>> = vec![Vec::new(); layout.shapes.len()];
        for place in &layout.places {
            if values[place.tensor].is_empty() {
                values[place.tensor].reserve_exact(layout.shapes[place.tensor].length());
                prefer_large_pages(&mut values[place.tensor]);
            }
            values[place.tensor].extend(read(place)?);
        }
        model.trained = Some(Parameters::new(full_parts(&layout), values));
    }
    Ok(model)
}

pub fn snapshot<E: GemmElement>(of: &Model<E>) -> Model<E> {
    let mut model = Model::new(Arc::clone(&of.pool), of.options.clone(), of.source.clone(), of.weights.clone());
    model.pristine = of.pristine && of.trained.is_none();
    model.adapter = of.adapter.clone();
    model.version = of.version;
    model.adapter_version = of.adapter_version;
    model
}

fn full_parts(layout: &Layout) -> Vec<ParameterPart> {
    let hidden = layout.layer(0, crate::model::layout::Slot::AttentionNorm)..layout.final_norm();
    let part = |place: &crate::model::layout::Place| {
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
        decays: *rows > 1,
        hidden: *rows > 1,
    };
    adapter.shapes.iter().enumerate().map(part).collect()
}
