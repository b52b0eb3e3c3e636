//! LoRA: `y = W x + (alpha / rank) B A x` with W frozen (Hu et al., 2021).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::gemm::{GemmElement, Panels, pack_rows};
use crate::model::init::Random;
use crate::model::layout::{Layout, VALUE_HEAD};
use crate::pool::Pool;

/// Names of the modules that can carry an adapter, with the checkpoint's name of their weight in a layer.
pub const MODULES: [(&str, &str); 7] = [
    ("q_proj", "self_attn.q_proj"),
    ("k_proj", "self_attn.k_proj"),
    ("v_proj", "self_attn.v_proj"),
    ("o_proj", "self_attn.o_proj"),
    ("gate_proj", "mlp.gate_proj"),
    ("up_proj", "mlp.up_proj"),
    ("down_proj", "mlp.down_proj"),
];

/// What a LoRA adapter is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    pub rank: usize,
    pub alpha: f32,
    /// Names of `MODULES`.
    pub targets: Vec<String>,
}

/// One adapted module: A [rank, inputs] and B [outputs, rank].
#[derive(Debug, Clone)]
pub struct LoraModule<E> {
    /// `model.layers.0.self_attn.q_proj`: PEFT's names add `.lora_A.weight` and `.lora_B.weight`.
    pub name: String,
    /// Where the module's outputs lie in the fused tensor.
    pub rows: Range<usize>,
    /// Numbers of A and B among the adapter's parameters.
    pub a_index: usize,
    pub b_index: usize,
    pub a: Panels<E>,
    pub b: Panels<E>,
}

/// An adapter as the forward pass reads it.
#[derive(Debug, Clone)]
pub struct Adapter<E> {
    pub config: LoraConfig,
    /// By the tensor they add to.
    pub modules: BTreeMap<usize, Vec<LoraModule<E>>>,
    /// Name, rows and columns of each trained parameter: every A and B, then the scalar head where there is one.
    pub shapes: Vec<(String, usize, usize)>,
}

impl<E: GemmElement> Adapter<E> {
    /// The structure, with B = 0 and A = 0 until `set` fills them.
    pub fn new(layout: &Layout, config: LoraConfig) -> Result<Self> {
        let known = || MODULES.map(|(name, _)| name).join(", ");
        if config.rank == 0 || config.rank > layout.config.hidden_size {
            let most = layout.config.hidden_size;
            return Err(Error::new(format!("lora.rank is {}; it must be 1 to {most}", config.rank)));
        }
        if !config.alpha.is_finite() || config.alpha <= 0.0 {
            return Err(Error::new(format!("lora.alpha is {}; it must be above 0", config.alpha)));
        }
        if config.targets.is_empty() {
            return Err(Error::new(format!("lora.targetModules is empty; choose among {}", known())));
        }
        let twice = |(index, target): &(usize, &String)| config.targets[..*index].contains(target);
        if let Some((_, target)) = config.targets.iter().enumerate().find(twice) {
            return Err(Error::new(format!("lora.targetModules has '{target}' twice")));
        }
        let (mut modules, mut shapes) = (BTreeMap::<usize, Vec<_>>::new(), Vec::new());
        for layer in 0..layout.config.num_layers {
            for target in &config.targets {
                let Some((_, path)) = MODULES.iter().find(|(name, _)| name == target) else {
                    return Err(Error::new(format!("lora.targetModules has '{target}'; it may have {}", known())));
                };
                let name = format!("model.layers.{layer}.{path}");
                let place = layout.find(&format!("{name}.weight"))?;
                let inputs = layout.shapes[place.tensor].columns;
                let (a_index, b_index) = (shapes.len(), shapes.len() + 1);
                shapes.push((format!("{name}.lora_A.weight"), config.rank, inputs));
                shapes.push((format!("{name}.lora_B.weight"), place.rows.len(), config.rank));
                modules.entry(place.tensor).or_default().push(LoraModule {
                    name,
                    rows: place.rows.clone(),
                    a_index,
                    b_index,
                    a: Panels::zeros(config.rank, inputs),
                    b: Panels::zeros(place.rows.len(), config.rank),
                });
            }
        }
        if layout.value_head {
            shapes.push((VALUE_HEAD.to_string(), 1, layout.config.hidden_size));
        }
        Ok(Self { config, modules, shapes })
    }

    pub fn scale(&self) -> f32 {
        self.config.alpha / self.config.rank as f32
    }

    /// Fills parameter `index` (of `shapes`) with row-major values.
    pub fn set(&mut self, pool: &Pool, index: usize, values: &[f32]) {
        for module in self.modules.values_mut().flatten() {
            if module.a_index == index {
                let columns = self.shapes[index].2;
                pack_rows(pool, values, columns, columns, &mut module.a);
            } else if module.b_index == index {
                let columns = self.shapes[index].2;
                pack_rows(pool, values, columns, columns, &mut module.b);
            }
        }
    }

    /// Starting values: A uniform in +-1/sqrt(inputs) (PEFT's Kaiming with a = sqrt 5), B zero.
    pub fn initial(&self, seed: u64) -> Vec<Vec<f32>> {
        let mut random = Random::new(seed);
        let is_a = |name: &str| name.ends_with("lora_A.weight");
        self.shapes
            .iter()
            .map(|(name, rows, columns)| {
                let bound = if is_a(name) { 1.0 / (*columns as f32).sqrt() } else { 0.0 };
                (0..rows * columns).map(|_| random.uniform() * 2.0 * bound - bound).collect()
            })
            .collect()
    }
}
