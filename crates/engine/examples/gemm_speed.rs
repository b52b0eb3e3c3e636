//! Speed of the matrix product on the shapes of SmolLM2-135M. `cargo run --release -p whetstone-engine --example gemm_speed`

use std::time::Instant;
use whetstone_engine::element::Bf16;
use whetstone_engine::gemm::{GemmElement, Output, Panels, Rows, gemm, pack_rows, repack_transposed};
use whetstone_engine::pool::Pool;

#[global_allocator]
static ALLOCATOR: whetstone_engine::memory::LineAligned = whetstone_engine::memory::LineAligned;

/// Bytes of weights that a step of decoding goes over: those of 30 layers are not in any cache when their turn comes again.
const FAR_BYTES: usize = 256 << 20;

/// Products of few rows with as many weights in turn as come from memory each time, as in a step of decoding.
fn measure_far<E: GemmElement>(pool: &Pool, rows: usize, columns: usize, reduction: usize) {
    let a: Vec<E> = (0..rows * reduction).map(|i| E::from_f32((i % 17) as f32)).collect();
    let b: Vec<f32> = (0..columns * reduction).map(|i| (i % 13) as f32).collect();
    let bytes = columns * reduction * size_of::<E>();
    let weights: Vec<Panels<E>> = (0..FAR_BYTES.div_ceil(bytes))
        .map(|_| {
            let mut panels = Panels::zeros(columns, reduction);
            pack_rows(pool, &b, reduction, reduction, &mut panels);
            panels
        })
        .collect();
    let mut c = vec![0.0f32; rows * columns];
    let mut best = f64::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        for panels in &weights {
            let a = Rows { data: &a, rows, stride: reduction };
            gemm(pool, a, panels.view(), Output { data: &mut c, stride: columns, offset: 0 }, false);
        }
        best = best.min(start.elapsed().as_secs_f64() / weights.len() as f64);
    }
    println!(
        "{:5} {rows:5}x{columns:5}x{reduction:5}: {:7.1} GFLOP/s, {:6.1} GB/s of B from memory",
        E::NAME,
        2.0 * (rows * columns * reduction) as f64 / best / 1e9,
        bytes as f64 / best / 1e9,
    );
}

fn measure<E: GemmElement>(pool: &Pool, rows: usize, columns: usize, reduction: usize) {
    let a: Vec<E> = (0..rows * reduction).map(|i| E::from_f32((i % 17) as f32)).collect();
    let b: Vec<f32> = (0..columns * reduction).map(|i| (i % 13) as f32).collect();
    let mut panels = Panels::<E>::zeros(columns, reduction);
    pack_rows(pool, &b, reduction, reduction, &mut panels);
    let mut c = vec![0.0f32; rows * columns];
    let work = 2.0 * rows as f64 * columns as f64 * reduction as f64;
    let mut best = f64::MAX;
    for _ in 0..((4e10 / work) as usize).clamp(3, 200) {
        let start = Instant::now();
        let a = Rows { data: &a, rows, stride: reduction };
        gemm(pool, a, panels.view(), Output { data: &mut c, stride: columns, offset: 0 }, false);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let mut transposed = Panels::<E>::zeros(reduction, columns);
    let start = Instant::now();
    repack_transposed(pool, panels.view(), &mut transposed);
    let repack = start.elapsed().as_secs_f64();
    println!(
        "{:5} {rows:5}x{columns:5}x{reduction:5}: {:7.1} GFLOP/s, {:6.1} GB/s of B, repack {:.2} of a product",
        E::NAME,
        work / best / 1e9,
        (columns * reduction * size_of::<E>()) as f64 / best / 1e9,
        repack / best,
    );
}

fn main() {
    for threads in [1, 2] {
        println!("{threads} threads");
        let pool = Pool::new(threads);
        for rows in [1, 8, 32, 256, 1024] {
            for (columns, reduction) in [(960, 576), (576, 576), (3072, 576), (576, 1536), (49152, 576)] {
                if rows < 1024 || columns < 49152 {
                    measure::<Bf16>(&pool, rows, columns, reduction);
                }
            }
        }
        for rows in [1, 8, 32] {
            for (columns, reduction) in [(960, 576), (576, 576), (3072, 576), (576, 1536), (49152, 576)] {
                measure_far::<Bf16>(&pool, rows, columns, reduction);
            }
        }
        measure::<Bf16>(&pool, 3072, 576, 1024);
        measure::<f32>(&pool, 1024, 3072, 576);
        measure::<f32>(&pool, 1024, 576, 1536);
    }
}
