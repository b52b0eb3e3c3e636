//! Where the first values of parameters come from: a checkpoint, or a seed.

use std::sync::Arc;

use crate::config::{ModelConfig, Parameter, ParameterKind};
use crate::error::Result;
use crate::model::init::{Random, mix};
use crate::model::layout::{Place, VALUE_HEAD};
use crate::weights::Checkpoint;

/// Gives every parameter in f32, as often as asked.
#[derive(Clone)]
pub enum Source {
    Checkpoint(Arc<Checkpoint>),
    /// Normal with the configuration's deviation; matrices that end a residual branch are divided by sqrt(2 layers), so
    /// that the residual stream does not grow with depth (Radford et al., 2019). Norms are 1, biases 0.
    Seed(u64),
}

impl Source {
    /// Row-major values of a parameter. A scalar head that the checkpoint lacks is drawn from its name.
    pub fn read(&self, config: &ModelConfig, place: &Place, columns: usize) -> Result<Vec<f32>> {
        if let Source::Checkpoint(checkpoint) = self
            && (place.name != VALUE_HEAD || checkpoint.has(VALUE_HEAD))
        {
            let known = config.parameters().into_iter().find(|parameter| parameter.name == place.name);
            let shape = vec![place.rows.len(), columns];
            let head = Parameter { name: place.name.clone(), shape, kind: ParameterKind::Head };
            return checkpoint.read_f32(&known.unwrap_or(head));
        }
        let seed = if let Source::Seed(seed) = self { *seed } else { 0 };
        Ok(initial(config, place, columns, seed))
    }
}

fn initial(config: &ModelConfig, place: &Place, columns: usize, seed: u64) -> Vec<f32> {
    let count = place.rows.len() * columns;
    if place.name.ends_with("norm.weight") {
        return vec![1.0; count];
    }
    if place.name.ends_with(".bias") {
        return vec![0.0; count];
    }
    let ends_branch = place.name.ends_with("o_proj.weight") || place.name.ends_with("down_proj.weight");
    let deviation = match place.name.as_str() {
        VALUE_HEAD => 1.0 / (columns as f32 + 1.0).sqrt(),
        _ if ends_branch => config.initializer_range / (2.0 * config.num_layers as f32).sqrt(),
        _ => config.initializer_range,
    };
    let name = place.name.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
    let mut random = Random::new(name);
    (0..count).map(|_| random.normal() * deviation).collect()
}
