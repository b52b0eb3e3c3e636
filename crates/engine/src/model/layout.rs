//! Which tensors a model has. Checkpoint parameters that multiply the same input (q, k and v; gate and up) are one tensor
//! here, their rows one after another, so that they are one matrix product.

use std::ops::Range;

use crate::config::{ModelConfig, ParameterKind};
use crate::error::{Error, Result};

/// The tensors of a layer, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    AttentionNorm,
    Qkv,
    QkvBias,
    QueryNorm,
    KeyNorm,
    Output,
    MlpNorm,
    GateUp,
    Down,
}

const SLOTS: usize = 9;

/// The name of the scalar head's weight, as Hugging Face's sequence classifiers have it.
pub const VALUE_HEAD: &str = "score.weight";

/// Where a checkpoint's parameter lies.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub tensor: usize,
    pub rows: Range<usize>,
}

/// One tensor, [rows, columns]; a vector has one column, an absent tensor no rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    pub rows: usize,
    pub columns: usize,
    /// Multiplied by activations, so kept packed.
    pub matrix: bool,
}

impl Shape {
    pub fn length(&self) -> usize {
        self.rows * self.columns
    }
}

/// All tensors of a model and the parameters in them.
#[derive(Debug, Clone)]
pub struct Layout {
    pub config: ModelConfig,
    pub shapes: Vec<Shape>,
    pub places: Vec<Place>,
    pub value_head: bool,
}

impl Layout {
    pub fn new(config: ModelConfig, value_head: bool) -> Self {
        let count = 1 + config.num_layers * SLOTS + 3;
        let mut layout = Self { shapes: vec![Shape::default(); count], places: Vec::new(), value_head, config };
        for parameter in layout.config.parameters() {
            let matrix =
                matches!(parameter.kind, ParameterKind::Embedding | ParameterKind::Linear | ParameterKind::Head);
            let tensor = layout.tensor_of(&parameter.name);
            layout.place(
                parameter.name,
                tensor,
                parameter.shape[0],
                parameter.shape.get(1).copied().unwrap_or(1),
                matrix,
            );
        }
        if value_head {
            let columns = layout.config.hidden_size;
            layout.place(VALUE_HEAD.to_string(), layout.value(), 1, columns, false);
        }
        layout
    }

    fn place(&mut self, name: String, tensor: usize, rows: usize, columns: usize, matrix: bool) {
        let first = self.shapes[tensor].rows;
        self.shapes[tensor] = Shape { rows: first + rows, columns, matrix };
        self.places.push(Place { name, tensor, rows: first..first + rows });
    }

    fn tensor_of(&self, name: &str) -> usize {
        let Some(rest) = name.strip_prefix("model.layers.") else {
            return match name {
                "model.embed_tokens.weight" => self.embedding(),
                "model.norm.weight" => self.final_norm(),
                "lm_head.weight" => self.shapes.len() - 2,
                _ => unreachable!("the configuration names a parameter '{name}' that the layout does not know"),
            };
        };
        let (layer, part) = rest.split_once('.').unwrap_or((rest, ""));
        let slot = match part {
            "input_layernorm.weight" => Slot::AttentionNorm,
            "self_attn.q_proj.weight" | "self_attn.k_proj.weight" | "self_attn.v_proj.weight" => Slot::Qkv,
            "self_attn.q_proj.bias" | "self_attn.k_proj.bias" | "self_attn.v_proj.bias" => Slot::QkvBias,
            "self_attn.q_norm.weight" => Slot::QueryNorm,
            "self_attn.k_norm.weight" => Slot::KeyNorm,
            "self_attn.o_proj.weight" => Slot::Output,
            "post_attention_layernorm.weight" => Slot::MlpNorm,
            "mlp.gate_proj.weight" | "mlp.up_proj.weight" => Slot::GateUp,
            "mlp.down_proj.weight" => Slot::Down,
            _ => unreachable!("the configuration names a parameter '{name}' that the layout does not know"),
        };
        self.layer(layer.parse().expect("a layer's number"), slot)
    }

    pub fn embedding(&self) -> usize {
        0
    }

    pub fn layer(&self, layer: usize, slot: Slot) -> usize {
        1 + layer * SLOTS + slot as usize
    }

    pub fn final_norm(&self) -> usize {
        self.shapes.len() - 3
    }

    /// The head's tensor: the embedding where they are tied.
    pub fn head(&self) -> usize {
        if self.config.tie_embeddings { self.embedding() } else { self.shapes.len() - 2 }
    }

    pub fn value(&self) -> usize {
        self.shapes.len() - 1
    }

    pub fn find(&self, name: &str) -> Result<&Place> {
        self.places.iter().find(|place| place.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.places.iter().map(|place| place.name.as_str()).take(12).collect();
            Error::new(format!("the model has no parameter '{name}'; it has {}, ...", names.join(", ")))
        })
    }

    /// Elements of all parameters.
    pub fn parameters(&self) -> usize {
        self.shapes.iter().map(Shape::length).sum()
    }
}
