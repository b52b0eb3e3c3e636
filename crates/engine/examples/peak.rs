//! What this machine's registers and memory can do at best: the denominators of every "share of peak" in the bench.
//!
//! Each kernel runs independent chains of one instruction with all operands in registers, so nothing but the
//! floating-point units limits it. The bandwidth kernel sums a buffer far larger than the last-level cache.
//!
//! `cargo run --release -p whetstone-engine --example peak` prints one JSON line: GFLOP/s (a multiply and an add are two
//! operations) and GB/s (10^9 bytes), on one thread and on all.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Chains per kernel: more than latency x issue width (4 x 2 for FMA, 6 x 1 for dpbf16 on Zen 4), below 32 registers.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 12;
/// Seconds one timed run aims for: long enough to hide the clock and a thread's start, short enough to fit a quiet spell.
const SECONDS_PER_RUN: f64 = 0.25;
/// The best of this many runs is reported, since other load on the machine can only slow a run.
const RUNS: usize = 8;
/// 512 MB: sixteen times a 32 MB last-level cache.
const BANDWIDTH_BYTES: usize = 512 << 20;

/// A kernel runs its chains for `iterations` rounds; one round does `operations` floating-point operations.
struct Kernel {
    name: &'static str,
    operations: f64,
    run: fn(u64) -> f32,
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHAINS, Kernel};
    use std::arch::asm;
    use std::arch::x86_64::*;

    /// Sums of a tile product that run side by side: more than its latency over its issue interval, 52 / 16 cycles.
    const TILE_CHAINS: usize = 6;

    /// The kernels this CPU has.
    pub fn kernels() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        if whetstone_engine::gemm::amx_permitted() {
            kernels.push(Kernel {
                name: "bf16Amx",
                operations: (TILE_CHAINS * 2 * 16 * 16 * 32) as f64,
                // SAFETY: the CPU has the tiles and the system lets us use them, as checked above.
                run: |iterations| unsafe { multiply_tiles(iterations) },
            });
        }
        if is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512f") {
            kernels.push(Kernel {
                name: "bf16Avx512",
                operations: (CHAINS * 64) as f64,
                // SAFETY: the CPU has avx512f and avx512bf16, as checked above.
                run: |iterations| unsafe { dot_bf16_avx512(iterations) },
            });
        }
        if is_x86_feature_detected!("avx512f") {
            kernels.push(Kernel {
                name: "f32Avx512",
                operations: (CHAINS * 32) as f64,
                // SAFETY: the CPU has avx512f, as checked above.
                run: |iterations| unsafe { multiply_add_f32_avx512(iterations) },
            });
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            kernels.push(Kernel {
                name: "f32Avx2",
                operations: (CHAINS * 16) as f64,
                // SAFETY: the CPU has avx2 and fma, as checked above.
                run: |iterations| unsafe { multiply_add_f32_avx2(iterations) },
            });
        }
        kernels
    }

    /// Registers of 16 rows of 64 bytes: the first byte is the palette, bytes of a row from 16, rows from 48.
    #[repr(C, align(64))]
    struct FullTiles([u8; 64]);

    /// # Safety
    /// The process may use AMX tiles.
    unsafe fn multiply_tiles(iterations: u64) -> f32 {
        let mut tiles = FullTiles([0; 64]);
        tiles.0[0] = 1;
        for register in 0..8 {
            tiles.0[16 + 2 * register] = 64;
            tiles.0[48 + register] = 16;
        }
        // SAFETY: the tile registers belong to this thread, and the memory read is that of `tiles`.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &tiles, options(nostack, readonly));
            for _ in 0..iterations {
                asm!(
                    "tdpbf16ps tmm0, tmm6, tmm7",
                    "tdpbf16ps tmm1, tmm6, tmm7",
                    "tdpbf16ps tmm2, tmm6, tmm7",
                    "tdpbf16ps tmm3, tmm6, tmm7",
                    "tdpbf16ps tmm4, tmm6, tmm7",
                    "tdpbf16ps tmm5, tmm6, tmm7",
                    options(nostack, nomem)
                );
            }
            asm!("tilerelease", options(nostack, nomem));
        }
        iterations as f32
    }

    /// # Safety
    /// The CPU must have `avx512f` and `avx512bf16`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn dot_bf16_avx512(iterations: u64) -> f32 {
        let factor = _mm512_set1_ps(std::hint::black_box(1e-10));
        let factor = _mm512_cvtne2ps_pbh(factor, factor);
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, factor, factor);
            }
        }
        sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
    }

    /// # Safety
    /// The CPU must have `avx512f`.
    #[target_feature(enable = "avx512f")]
    unsafe fn multiply_add_f32_avx512(iterations: u64) -> f32 {
        let factor = _mm512_set1_ps(std::hint::black_box(1e-10));
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(factor, factor, *sum);
            }
        }
        sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
    }

    /// # Safety
    /// The CPU must have `avx2` and `fma`.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn multiply_add_f32_avx2(iterations: u64) -> f32 {
        let factor = _mm256_set1_ps(std::hint::black_box(1e-10));
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        for _ in 0..iterations {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(factor, factor, *sum);
            }
        }
        let lanes: [f32; 8] = sums.iter().fold([0.0; 8], |mut total, &sum| {
            let mut lanes = [0.0; 8];
            // SAFETY: `lanes` holds the eight floats that the unaligned store writes.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
            total.iter_mut().zip(lanes).for_each(|(total, lane)| *total += lane);
            total
        });
        lanes.iter().sum()
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod x86 {
    pub fn kernels() -> Vec<super::Kernel> {
        Vec::new()
    }
}

/// Multiply and add as the compiler vectorises it for the target's baseline: a lower bound where no kernel above fits.
fn multiply_add_f32_portable(iterations: u64) -> f32 {
    let factor = black_box(1e-10_f32);
    let mut sums = [1.0_f32; 64];
    for _ in 0..iterations {
        for sum in &mut sums {
            *sum = *sum * factor + factor;
        }
    }
    sums.iter().sum()
}

/// Seconds that `threads` threads, started together, take to each call `work` with its index.
fn seconds(threads: usize, work: &(dyn Fn(usize) + Sync)) -> f64 {
    let start_line = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let start_line = &start_line;
                scope.spawn(move || {
                    start_line.wait();
                    let begun = Instant::now();
                    work(thread);
                    (begun, Instant::now())
                })
            })
            .collect();
        start_line.wait();
        let spans: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).collect();
        let begun = spans.iter().map(|span| span.0).min().expect("at least one thread");
        let ended = spans.iter().map(|span| span.1).max().expect("at least one thread");
        ended.duration_since(begun).as_secs_f64()
    })
}

/// GFLOP/s of the kernel over `threads` threads, the best of `RUNS`.
fn gflops(kernel: &Kernel, threads: usize) -> f64 {
    let run = |threads: usize, iterations: u64| {
        seconds(threads, &|_| {
            black_box((kernel.run)(iterations));
        })
    };
    let mut iterations = 1_u64 << 16;
    while run(1, iterations) < SECONDS_PER_RUN {
        iterations *= 2;
    }
    let best = (0..RUNS).map(|_| run(threads, iterations)).fold(f64::INFINITY, f64::min);
    kernel.operations * iterations as f64 * threads as f64 / best / 1e9
}

/// GB/s that `threads` threads read together, each its own part of one buffer, the best of `RUNS`.
fn read_bandwidth(buffer: &[u64], threads: usize) -> f64 {
    let part = buffer.len() / threads;
    let read = |thread: usize| {
        // Sixteen sums keep the additions off the critical path.
        let mut sums = [0_u64; 16];
        for chunk in buffer[thread * part..(thread + 1) * part].chunks_exact(16) {
            sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
        }
        black_box(sums);
    };
    let best = (0..RUNS).map(|_| seconds(threads, &read)).fold(f64::INFINITY, f64::min);
    (part * threads * size_of::<u64>()) as f64 / best / 1e9
}

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let mut kernels = x86::kernels();
    kernels.push(Kernel { name: "f32Portable", operations: 128.0, run: multiply_add_f32_portable });
    let peaks: serde_json::Map<_, _> = kernels
        .iter()
        .map(|kernel| {
            let figure = serde_json::json!({ "oneThread": gflops(kernel, 1), "allThreads": gflops(kernel, threads) });
            (kernel.name.to_string(), figure)
        })
        .collect();
    let buffer: Vec<u64> = (0..(BANDWIDTH_BYTES / size_of::<u64>()) as u64).collect();
    let bandwidth = serde_json::json!({
        "oneThread": read_bandwidth(&buffer, 1),
        "allThreads": read_bandwidth(&buffer, threads),
    });
    println!("{}", serde_json::json!({ "threads": threads, "gflops": peaks, "readGigabytesPerSecond": bandwidth }));
}
