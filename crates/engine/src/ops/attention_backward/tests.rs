//! Gradients against plain sums in f64.

use super::{AttentionBackward, OutputGradient, round_output_gradients};
use crate::element::{Bf16, Element};
use crate::gemm::GemmElement;
use crate::ops::attention::{Mask, Span};
use crate::ops::pages::Heads;
use crate::ops::rope::RopeTable;
use crate::pool::Pool;

/// What attention keeps and is given, and its gradients in f64, before the rotation: [rows, (heads + 2 kv_heads) *
/// head_dim].
struct Case<E> {
    heads: Heads,
    window: Option<usize>,
    spans: Vec<Span>,
    paths: Vec<Vec<u32>>,
    queries: Vec<E>,
    keys: Vec<E>,
    values: Vec<E>,
    out: Vec<E>,
    log_sums: Vec<f32>,
    d_out: Vec<f32>,
    want: Vec<f64>,
}

/// A root of `root` rows and branches on it.
fn tree(root: usize, branches: &[usize], mask: Mask) -> (Vec<Span>, Vec<Vec<u32>>) {
    let span = |first_row, rows, start| Span { first_row, rows, start, pages: Vec::new(), mask };
    let trunk: Vec<u32> = (0..root as u32).collect();
    let (mut spans, mut paths) = (vec![span(0, root, 0)], vec![trunk.clone()]);
    let mut first = root;
    for &rows in branches {
        spans.push(span(first, rows, root));
        paths.push(trunk.iter().copied().chain(first as u32..(first + rows) as u32).collect());
        first += rows;
    }
    (spans, paths)
}

/// Numbers between -1 and 1 that look random.
fn numbers<E: Element>(count: usize, seed: usize) -> Vec<E> {
    (0..count).map(|i| E::from_f32(((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0)).collect()
}

/// Radians from one position to the next.
fn frequencies(dim: usize) -> Vec<f64> {
    (0..dim / 2).map(|i| 1.0 / (1 + i) as f64).collect()
}

/// Turns a head back from its position.
fn turn_back(head: &mut [f64], position: usize) {
    let frequencies = frequencies(head.len());
    let (low, high) = head.split_at_mut(head.len() / 2);
    for ((x, y), frequency) in low.iter_mut().zip(high).zip(frequencies) {
        let (sin, cos) = (position as f64 * frequency).sin_cos();
        (*x, *y) = (*x * cos + *y * sin, *y * cos - *x * sin);
    }
}

fn case<E: Element>(heads: Heads, window: Option<usize>, root: usize, branches: &[usize], mask: Mask) -> Case<E> {
    let (spans, paths) = tree(root, branches, mask);
    let rows = root + branches.iter().sum::<usize>();
    let Heads { heads: query_heads, kv_heads, dim } = heads;
    let (width, key_width) = (query_heads * dim, kv_heads * dim);
    let (queries, keys, values) =
        (numbers::<E>(rows * width, 1), numbers::<E>(rows * key_width, 2), numbers::<E>(rows * key_width, 3));
    let d_out: Vec<f32> = numbers(rows * width, 4);
    let mut out = vec![E::default(); rows * width];
    let mut log_sums = vec![0.0; rows * query_heads];
    let mut gradients = [vec![0.0; rows * width], vec![0.0; rows * key_width], vec![0.0; rows * key_width]];
    let scale = 1.0 / (dim as f64).sqrt();
    let wide = |value: E| f64::from(value.to_f32());
    for (span, path) in spans.iter().zip(&paths) {
        for (i, head) in (0..span.rows).flat_map(|i| (0..query_heads).map(move |head| (i, head))) {
            let at = ((span.first_row + i) * query_heads + head) * dim;
            let seen = &path[span.keys(span.start + i, window)];
            let key_at = |row: u32| (row as usize * kv_heads + head / heads.group()) * dim;
            let score =
                |row| (0..dim).map(|d| wide(queries[at + d]) * wide(keys[key_at(row) + d])).sum::<f64>() * scale;
            let mut weights: Vec<f64> = seen.iter().map(|&row| score(row).exp()).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            log_sums[at / dim] = sum.ln() as f32;
            for d in 0..dim {
                let value = |(&row, weight): (&u32, &f64)| weight * wide(values[key_at(row) + d]);
                out[at + d] = E::from_f32(seen.iter().zip(&weights).map(value).sum::<f64>() as f32);
            }
            let delta: f64 = (0..dim).map(|d| f64::from(d_out[at + d]) * wide(out[at + d])).sum();
            for (&row, weight) in seen.iter().zip(&weights) {
                let d_weight: f64 = (0..dim).map(|d| f64::from(d_out[at + d]) * wide(values[key_at(row) + d])).sum();
                let d_score = weight * (d_weight - delta) * scale;
                for d in 0..dim {
                    gradients[0][at + d] += d_score * wide(keys[key_at(row) + d]);
                    gradients[1][key_at(row) + d] += d_score * wide(queries[at + d]);
                    gradients[2][key_at(row) + d] += weight * f64::from(d_out[at + d]);
                }
            }
        }
    }
    let mut want = Vec::new();
    for row in 0..rows {
        let position = spans.iter().find(|span| (span.first_row..span.first_row + span.rows).contains(&row));
        let position = position.map_or(0, |span| span.start + row - span.first_row);
        for (matrix, gradient) in gradients.iter_mut().enumerate() {
            let width = gradient.len() / rows;
            for head in gradient[row * width..(row + 1) * width].chunks_exact_mut(dim) {
                if matrix < 2 {
                    turn_back(head, position);
                }
                want.extend_from_slice(head);
            }
        }
    }
    Case { heads, window, spans, paths, queries, keys, values, out, log_sums, d_out, want }
}

impl<E: GemmElement> Case<E> {
    fn run<T: Element>(&self, threads: usize) -> Vec<T> {
        let (pool, mut got) = (Pool::new(threads), vec![T::from_f32(f32::NAN); self.want.len()]);
        let (mut rounded, mut deltas) = (self.out.clone(), vec![0.0; self.log_sums.len()]);
        round_output_gradients(&pool, self.heads, &self.d_out, &self.out, &mut rounded, &mut deltas);
        AttentionBackward {
            heads: self.heads,
            window: self.window,
            spans: &self.spans,
            path_rows: &self.paths,
            rope: &RopeTable::new(&frequencies(self.heads.dim), 1024),
            queries: &self.queries,
            keys: &self.keys,
            values: &self.values,
            log_sums: &self.log_sums,
        }
        .run(&pool, OutputGradient { rounded: &rounded, deltas: &deltas }, &mut got);
        got
    }

    fn check(&self, tolerance: f64, name: &str) {
        let got = self.run::<f32>(1);
        assert_eq!(got, self.run::<f32>(3), "{name}: threads change bits");
        let rounded: Vec<Bf16> = got.iter().map(|value| Bf16::from_f32(*value)).collect();
        assert_eq!(rounded, self.run::<Bf16>(3), "{name}: rounded");
        let largest = self.want.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
        for (index, (got, want)) in got.iter().zip(&self.want).enumerate() {
            let error = (f64::from(*got) - want).abs();
            assert!(error <= tolerance * largest, "{name} at {index}: {got}, want {want}");
        }
    }
}

fn check_shapes<E: GemmElement>(tolerance: f64) {
    for (query_heads, kv_heads, dim) in [(6, 2, 64), (2, 1, 80), (2, 2, 24)] {
        let heads = Heads { heads: query_heads, kv_heads, dim };
        for window in [None, Some(1), Some(20)] {
            for mask in [Mask::Causal, Mask::Bidirectional, Mask::Prefix(18)] {
                let name = format!("{} {heads:?} {window:?} {mask:?}", E::NAME);
                case::<E>(heads, window, 15, &[1, 34, 7], mask).check(tolerance, &name);
            }
        }
        case::<E>(heads, None, 40, &[150], Mask::Causal).check(tolerance, &format!("{} {heads:?} long", E::NAME));
    }
}

#[test]
fn gradients_in_f32_are_those_of_plain_sums() {
    check_shapes::<f32>(1e-5);
}

#[test]
fn gradients_in_bf16_are_close_to_those_of_plain_sums() {
    check_shapes::<Bf16>(2e-2);
}
