//! The numbers of a model as the forward pass reads them: matrices packed in its precision, vectors in f32.

use std::sync::Arc;

use crate::error::Result;
use crate::gemm::{GemmElement, Panels, pack_rows};
use crate::memory::move_to_large_pages;
use crate::model::layout::{Layout, Place, VALUE_HEAD};
use crate::ops::rope::RopeTable;
use crate::pool::Pool;

/// One tensor in the form that the forward pass reads.
#[derive(Debug, Clone)]
pub enum Tensor<E> {
    Matrix(Panels<E>),
    Vector(Vec<f32>),
}

/// All tensors. Cloning shares them until one side changes its own.
#[derive(Debug, Clone)]
pub struct Weights<E> {
    pub layout: Arc<Layout>,
    pub rope: Arc<RopeTable>,
    tensors: Vec<Arc<Tensor<E>>>,
}

impl<E: GemmElement> Weights<E> {
    /// Builds from a function that gives the row-major f32 values of each parameter.
    pub fn build(pool: &Pool, layout: Arc<Layout>, mut read: impl FnMut(&Place) -> Result<Vec<f32>>) -> Result<Self> {
        let mut tensors = Vec::with_capacity(layout.shapes.len());
        let mut by_tensor = vec![Vec::new(); layout.shapes.len()];
        for place in &layout.places {
            by_tensor[place.tensor].push(place);
        }
        for (index, shape) in layout.shapes.iter().enumerate() {
            let mut values = Vec::with_capacity(shape.length());
            for place in &by_tensor[index] {
                values.extend(read(place)?);
            }
            tensors.push(Arc::new(pack(pool, &layout, index, values)));
        }
        // When all have their place, since small ones share large pages.
        for tensor in &tensors {
            if let Tensor::Matrix(panels) = &**tensor {
                move_to_large_pages(&panels.data);
            }
        }
        let rope = RopeTable::new(&layout.config.rope_inverse_frequencies(), layout.config.max_position);
        Ok(Self { layout, rope: Arc::new(rope), tensors })
    }

    /// The same weights under a layout that differs in whether there is a scalar head.
    pub fn with_layout(
        &self,
        pool: &Pool,
        layout: &Arc<Layout>,
        mut read: impl FnMut(&Place) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let mut tensors = self.tensors.clone();
        let values = if layout.value_head { read(layout.find(VALUE_HEAD)?)? } else { Vec::new() };
        tensors[layout.value()] = Arc::new(pack(pool, layout, layout.value(), values));
        Ok(Self { layout: Arc::clone(layout), rope: Arc::clone(&self.rope), tensors })
    }

    /// Memory of the tensors, each divided by how many hold it.
    pub fn bytes(&self) -> usize {
        let size = |tensor: &Tensor<E>| match tensor {
            Tensor::Matrix(panels) => panels.data.len() * size_of::<E>(),
            Tensor::Vector(values) => values.len() * size_of::<f32>(),
        };
        self.tensors.iter().map(|tensor| size(tensor) / Arc::strong_count(tensor)).sum()
    }

    pub fn matrix(&self, tensor: usize) -> &Panels<E> {
        match &*self.tensors[tensor] {
            Tensor::Matrix(panels) => panels,
            Tensor::Vector(_) => unreachable!("tensor {tensor} is a vector"),
        }
    }

    pub fn vector(&self, tensor: usize) -> &[f32] {
        match &*self.tensors[tensor] {
            Tensor::Vector(values) => values,
            Tensor::Matrix(_) => unreachable!("tensor {tensor} is a matrix"),
        }
    }

    /// Replaces a tensor by row-major f32 values.
    pub fn replace(&mut self, pool: &Pool, tensor: usize, values: &[f32]) {
        let shape = self.layout.shapes[tensor];
        match Arc::make_mut(&mut self.tensors[tensor]) {
            Tensor::Matrix(panels) => pack_rows(pool, values, shape.columns, shape.columns, panels),
            Tensor::Vector(vector) => vector.copy_from_slice(values),
        }
    }

    /// The row-major f32 values of rows of a tensor, as far as the precision kept them.
    pub fn read(&self, place: &Place) -> Vec<f32> {
        let columns = self.layout.shapes[place.tensor].columns;
        match &*self.tensors[place.tensor] {
            Tensor::Vector(values) => values[place.rows.start * columns..place.rows.end * columns].to_vec(),
            Tensor::Matrix(panels) => {
                let mut values = vec![0.0; place.rows.len() * columns];
                for (row, out) in place.rows.clone().zip(values.chunks_exact_mut(columns)) {
                    panels.read_column(row, out);
                }
                values
            }
        }
    }
}

fn pack<E: GemmElement>(pool: &Pool, layout: &Layout, tensor: usize, values: Vec<f32>) -> Tensor<E> {
    let shape = layout.shapes[tensor];
    if !shape.matrix {
        return Tensor::Vector(values);
    }
    let mut panels = Panels::zeros(shape.rows, shape.columns);
    pack_rows(pool, &values, shape.columns, shape.columns, &mut panels);
    Tensor::Matrix(panels)
}
