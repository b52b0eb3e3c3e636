//! SwiGLU of a tile: 32 columns of a few rows whose sums are at hand.

use crate::convert::{convert_row, widen_row};
use crate::element::Element;
use crate::gemm::{MAX_TILE_ROWS, PANEL, Steps};
use crate::memory::prefetch_line;
use crate::ops::swiglu::{backward_row, forward_row};
#[cfg(target_arch = "x86_64")]
use crate::ops::vectors::rounds;
use crate::pool::Parts;

/// Numbers of a tile at most.
const TILE: usize = MAX_TILE_ROWS * PANEL;

/// 32 columns of a matrix from one row on: where they begin, and elements from a row to the next.
#[derive(Clone, Copy)]
pub struct Columns<E> {
    pub matrix: Parts<E>,
    pub first: usize,
    pub stride: usize,
}

impl<E> Columns<E> {
    /// Panics unless the matrix has so many rows there.
    fn check(&self, rows: usize) {
        let end = self.first + (rows - 1) * self.stride + PANEL;
        assert!(end <= self.matrix.length(), "columns to {end} of {}", self.matrix.length());
    }

    /// Asks for so many rows; those that the matrix does not have are harmless.
    pub fn prefetch(&self, rows: usize) {
        for row in 0..rows {
            prefetch_line(self.matrix.pointer().wrapping_add(self.first + row * self.stride));
        }
    }

    /// # Safety
    /// Nobody else uses the columns.
    unsafe fn row<'a>(self, row: usize) -> &'a mut [E] {
        // SAFETY: by this function's contract.
        unsafe { self.matrix.get(self.first + row * self.stride, PANEL) }
    }
}

/// From sums of gates and of ups, [2, rows, 32], to activations, and to gates and ups where they are `kept`: a row in each step, or where
/// the processor does not round to E, all in one. Overwrites the sums.
pub struct ForwardTile<E> {
    sums: *mut [f32],
    kept: Option<[Columns<E>; 2]>,
    out: Columns<E>,
    row: usize,
}

impl<E: Element> ForwardTile<E> {
    /// # Safety
    /// Nobody else uses the sums and the columns until the last step.
    pub unsafe fn new(sums: *mut [f32], kept: Option<[Columns<E>; 2]>, out: Columns<E>) -> Self {
        kept.into_iter().flatten().chain([out]).for_each(|columns| columns.check(sums.len() / 2 / PANEL));
        Self { sums, kept, out, row: 0 }
    }

    fn at_once(&mut self) {
        // SAFETY: the sums are this tile's, by the contract of `new`.
        let (sums, kept, out) = (unsafe { &mut *self.sums }, self.kept, self.out);
        let length = sums.len() / 2;
        let mut rounded = [E::default(); 2 * TILE];
        let rounded = &mut rounded[..2 * length];
        convert_row(sums, rounded);
        widen_row(rounded, sums);
        for (columns, rounded) in kept.iter().flatten().zip(rounded.chunks_exact(length)) {
            for (row, from) in rounded.chunks_exact(PANEL).enumerate() {
                // SAFETY: so are the columns.
                unsafe { columns.row(row) }.copy_from_slice(from);
            }
        }
        let mut activations = [0.0f32; TILE];
        let (gates, ups) = sums.split_at(length);
        forward_row(gates, ups, &mut activations[..length]);
        for (row, from) in activations[..length].chunks_exact(PANEL).enumerate() {
            // SAFETY: as above.
            convert_row(from, unsafe { out.row(row) });
        }
    }
}

impl<E: Element> Steps for ForwardTile<E> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let (row, rows) = (self.row, self.sums.len() / 2 / PANEL);
        if row == rows {
            return false;
        }
        #[cfg(target_arch = "x86_64")]
        if rounds::<E>() {
            let (kept, out) = (self.kept.map(|kept| kept.map(registers::Place::of)), registers::Place::of(self.out));
            // SAFETY: E is bf16, which the machine rounds to; the sums and the columns hold the row and are this tile's.
            unsafe { registers::forward(row, rows, self.sums.cast(), kept, out) };
            self.row += 1;
            return true;
        }
        self.at_once();
        self.row = rows;
        true
    }
}

/// From the gradient in activations `d`, [rows, 32], and the gates and ups, to the gradients in those, in their place, and to the activations: in
/// steps as `ForwardTile`.
pub struct BackwardTile<E> {
    d: *const [f32],
    gate_up: [Columns<E>; 2],
    out: Columns<E>,
    row: usize,
}

impl<E: Element> BackwardTile<E> {
    /// # Safety
    /// Nobody else uses the columns, nor changes `d`, until the last step.
    pub unsafe fn new(d: *const [f32], gate_up: [Columns<E>; 2], out: Columns<E>) -> Self {
        gate_up.into_iter().chain([out]).for_each(|columns| columns.check(d.len() / PANEL));
        Self { d, gate_up, out, row: 0 }
    }

    fn at_once(&mut self) {
        // SAFETY: nobody changes them, by the contract of `new`.
        let (d, gate_up, out) = (unsafe { &*self.d }, self.gate_up, self.out);
        let (mut inputs, mut gradients, mut activations) = ([0.0f32; 2 * TILE], [0.0f32; 2 * TILE], [0.0f32; TILE]);
        for (columns, inputs) in gate_up.iter().zip(inputs.chunks_exact_mut(d.len())) {
            for (row, to) in inputs.chunks_exact_mut(PANEL).enumerate() {
                // SAFETY: the columns are this tile's.
                widen_row(unsafe { columns.row(row) }, to);
            }
        }
        let ((gates, ups), (d_gates, d_ups)) =
            (inputs[..2 * d.len()].split_at(d.len()), gradients[..2 * d.len()].split_at_mut(d.len()));
        backward_row(gates, ups, d, d_gates, d_ups, &mut activations);
        let tiles = [(gate_up[0], &*d_gates), (gate_up[1], &*d_ups), (out, &activations[..d.len()])];
        for (columns, tile) in tiles {
            for (row, from) in tile.chunks_exact(PANEL).enumerate() {
                // SAFETY: as above.
                convert_row(from, unsafe { columns.row(row) });
            }
        }
    }
}

impl<E: Element> Steps for BackwardTile<E> {
    #[inline(always)]
    fn step(&mut self) -> bool {
        let (row, rows) = (self.row, self.d.len() / PANEL);
        if row == rows {
            return false;
        }
        #[cfg(target_arch = "x86_64")]
        if rounds::<E>() {
            let (gate_up, out) = (self.gate_up.map(registers::Place::of), registers::Place::of(self.out));
            // SAFETY: as in `ForwardTile`.
            unsafe { registers::backward(row, self.d.cast(), gate_up, out) };
            self.row += 1;
            return true;
        }
        self.at_once();
        self.row = rows;
        true
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::{Columns, PANEL};
    use crate::element::Bf16;
    use crate::ops::vectors::{evens_and_odds, load_32, round_32, round_evens_and_odds, sigmoid_16};

    /// Where columns begin, and elements from one row to the next.
    #[derive(Clone, Copy)]
    pub struct Place {
        start: *mut Bf16,
        stride: usize,
    }

    impl Place {
        pub fn of<E>(columns: Columns<E>) -> Self {
            Self { start: columns.matrix.pointer().cast::<Bf16>().wrapping_add(columns.first), stride: columns.stride }
        }

        fn row(self, row: usize) -> *mut Bf16 {
            self.start.wrapping_add(row * self.stride)
        }
    }

    /// Both halves of a row of a tile.
    ///
    /// # Safety
    /// The tile has the row.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn halves(tile: *const f32, row: usize) -> [__m512; 2] {
        // SAFETY: by this function's contract.
        [0, PANEL / 2].map(|half| unsafe { _mm512_loadu_ps(tile.add(row * PANEL + half)) })
    }

    /// Stores what is not read again for long without reading the line first or keeping it in a cache.
    ///
    /// # Safety
    /// There is room for 32 numbers at `to`; a store fence follows before another thread reads them.
    #[target_feature(enable = "avx512f")]
    unsafe fn store_past_caches(to: *mut Bf16, numbers: __m512i) {
        // SAFETY: by this function's contract; only a whole line can go past the caches.
        unsafe {
            if to.addr().is_multiple_of(size_of::<__m512i>()) {
                _mm512_stream_si512(to.cast(), numbers);
            } else {
                _mm512_storeu_si512(to.cast(), numbers);
            }
        }
    }

    /// # Safety
    /// The sums have the row, and the places are the caller's; on a machine that rounds to bf16.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn forward(row: usize, rows: usize, sums: *const f32, kept: Option<[Place; 2]>, out: Place) {
        let rounded = [row, rows + row].map(|row| {
            // SAFETY: by this function's contract.
            let [low, high] = unsafe { halves(sums, row) };
            round_32(low, high)
        });
        let [gate, up] = rounded.map(|packed| evens_and_odds(packed));
        let activation = [0, 1].map(|part| _mm512_mul_ps(_mm512_mul_ps(gate[part], sigmoid_16(gate[part])), up[part]));
        // SAFETY: by this function's contract.
        unsafe {
            for (place, rounded) in kept.into_iter().flatten().zip(rounded) {
                store_past_caches(place.row(row), rounded);
            }
            _mm512_storeu_si512(out.row(row).cast(), round_evens_and_odds(activation));
        }
        if kept.is_some() && row + 1 == rows {
            // What went past the caches is ordered with other stores only by this.
            _mm_sfence();
        }
    }

    /// # Safety
    /// `d` has the row, and the places are the caller's; on a machine that rounds to bf16.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub unsafe fn backward(row: usize, d: *const f32, gate_up: [Place; 2], out: Place) {
        let one = _mm512_set1_ps(1.0);
        // SAFETY: by this function's contract.
        let (d, [gate, up]) = unsafe { (halves(d, row), gate_up.map(|place| load_32(place.row(row)))) };
        let (mut d_gate, mut d_up, mut activation) = (gate, up, gate);
        for half in 0..2 {
            let (gate, up, d, s) = (gate[half], up[half], d[half], sigmoid_16(gate[half]));
            activation[half] = _mm512_mul_ps(_mm512_mul_ps(gate, s), up);
            d_up[half] = _mm512_mul_ps(_mm512_mul_ps(d, gate), s);
            let slope = _mm512_add_ps(one, _mm512_mul_ps(gate, _mm512_sub_ps(one, s)));
            d_gate[half] = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(d, up), s), slope);
        }
        for (place, [low, high]) in [(gate_up[0], d_gate), (gate_up[1], d_up), (out, activation)] {
            // SAFETY: by this function's contract.
            unsafe { _mm512_storeu_si512(place.row(row).cast(), round_32(low, high)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Bf16;
    use crate::ops::swiglu::{swiglu, swiglu_backward};
    use crate::pool::Pool;

    fn as_whole_rows<E: Element>() {
        let pool = Pool::new(1);
        let (rows, panels) = (5, 3);
        let width = panels * PANEL;
        let number = |i: usize| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * 8.0;
        let sums: Vec<f32> = (0..rows * 2 * width).map(number).collect();
        let gate_up: Vec<E> = sums.iter().map(|&sum| E::from_f32(sum)).collect();
        let d: Vec<f32> = (0..rows * width).map(|i| number(i + 5)).collect();
        let (mut expected, mut d_expected) = (vec![E::default(); rows * width], vec![E::default(); rows * 2 * width]);
        swiglu(&pool, &gate_up, width, &mut expected, width);
        swiglu_backward(&pool, &gate_up, width, &d, &mut d_expected);
        let (mut out, mut kept) = (vec![E::default(); rows * width], vec![E::default(); rows * 2 * width]);
        let (mut again, mut d_gate_up) = (out.clone(), gate_up.clone());
        let [out_parts, again_parts] = [&mut out, &mut again].map(|matrix| Parts::new(matrix));
        let [kept_parts, d_parts] = [&mut kept, &mut d_gate_up].map(|matrix| Parts::new(matrix));
        for panel in 0..panels {
            let half = |matrix, half: usize| Columns { matrix, first: half * width + panel * PANEL, stride: 2 * width };
            let one = |matrix| Columns { matrix, first: panel * PANEL, stride: width };
            let tile = |from: &[f32], first: usize, stride: usize| -> Vec<f32> {
                (0..rows).flat_map(|row| from[row * stride + first..][..PANEL].to_vec()).collect()
            };
            let gates = tile(&sums, panel * PANEL, 2 * width);
            let mut tile_sums = [gates, tile(&sums, width + panel * PANEL, 2 * width)].concat();
            // SAFETY: one thread uses the matrices.
            unsafe {
                let kept = Some([half(kept_parts, 0), half(kept_parts, 1)]);
                let mut forward = ForwardTile::new(std::ptr::from_mut(&mut tile_sums[..]), kept, one(out_parts));
                while forward.step() {}
                let d_tile = tile(&d, panel * PANEL, width);
                let d_gate_up = [half(d_parts, 0), half(d_parts, 1)];
                let mut backward = BackwardTile::new(std::ptr::from_ref(&d_tile[..]), d_gate_up, one(again_parts));
                while backward.step() {}
            }
        }
        assert_eq!(kept, gate_up);
        assert_eq!(out, expected);
        assert_eq!(again, expected);
        assert_eq!(d_gate_up, d_expected);
    }

    #[test]
    fn tiles_have_the_bits_of_whole_rows() {
        as_whole_rows::<f32>();
        as_whole_rows::<Bf16>();
    }
}
