//! What a micro-batch has of its layers between its two passes.

use crate::buffers::{Buffer, Buffers};
use crate::gemm::GemmElement;
use crate::model::forward::{LayerKept, Pass, Sizes};
use crate::model::tape::Tape;
use crate::ops::pages::Pages;

/// The activations of all layers, or what they come from.
pub enum KeptLayers<E> {
    Whole(Vec<LayerKept<E>>),
    /// Each layer's input, [rows, hidden], and the pages that computing one again takes.
    Inputs(Vec<Buffer<f32>>, usize),
    /// The rows of the tape.
    Taped(Vec<u32>),
}

impl<E: GemmElement> KeptLayers<E> {
    /// Gives the buffers back.
    pub fn release(self, free: &mut Buffers<E>) {
        match self {
            Self::Whole(layers) => layers.into_iter().for_each(|layer| layer.release(free)),
            Self::Inputs(inputs, _) => inputs.into_iter().for_each(|input| free.floats.give(input)),
            Self::Taped(_) => {}
        }
    }

    /// Calls `work` with each layer's activations, from the last layer to the first, one layer at hand at a time where
    /// that is possible. `tape` is the one that has the rows, where they are taped.
    pub fn backwards(
        self,
        pass: &Pass<'_, E>,
        tape: Option<&Tape<E>>,
        free: &mut Buffers<E>,
        mut work: impl FnMut(usize, &mut LayerKept<E>, &mut Buffers<E>),
    ) {
        let mut visit = |layer: usize, mut kept: LayerKept<E>, free: &mut Buffers<E>| {
            work(layer, &mut kept, free);
            kept.release(free);
        };
        match self {
            Self::Whole(layers) => {
                layers.into_iter().enumerate().rev().for_each(|(layer, kept)| visit(layer, kept, free));
            }
            Self::Inputs(inputs, pages) => {
                let mut pages = Pages::new(Sizes::of(pass.weights).heads, 1, pages);
                for (layer, mut x) in inputs.into_iter().enumerate().rev() {
                    let again = pass.layer(layer, &mut x, &mut pages, 0, true, free);
                    free.floats.give(x);
                    visit(layer, again, free);
                }
            }
            Self::Taped(rows) => {
                let tape = tape.expect("the tape that the rows were found on");
                for layer in (0..pass.weights.layout.config.num_layers).rev() {
                    visit(layer, tape.layer(pass.pool, layer, &rows, free), free);
                }
            }
        }
    }
}
