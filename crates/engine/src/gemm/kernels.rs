//! The inner loops. Every kernel here adds the products of one element of C in the order of the reduction.

#[cfg(target_arch = "x86_64")]
use super::amx::{ahead, bf16_amx_beside};
#[cfg(target_arch = "x86_64")]
use super::beside::Steps;
use super::pack::interleave_pairs;
#[cfg(target_arch = "x86_64")]
use super::run_after;
use super::turn::turn_bf16;
use super::{BLOCK_BYTES, GemmElement, Kernel, PANEL, PASS, TILE_ROWS, TILES_TOGETHER};
use crate::element::{Bf16, Element};
use crate::isa::{Isa, fma, isa};

impl GemmElement for f32 {
    fn kernel() -> Kernel<f32> {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512 => x86::f32_avx512,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::generic_avx2::<f32>,
            Isa::Neon => generic::<f32, true, 4>,
            _ => generic::<f32, false, 4>,
        }
    }

    fn tiles_together() -> usize {
        if matches!(isa(), Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512) { TILES_TOGETHER } else { 1 }
    }

    fn interleave(rows: &[f32], stride: usize, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(PANEL).enumerate() {
            out.copy_from_slice(&rows[row * stride..][..PANEL]);
        }
    }
}

impl GemmElement for Bf16 {
    fn kernel() -> Kernel<Bf16> {
        match isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => super::amx::bf16_amx::<{ ahead::NOTHING }>,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => x86::bf16_avx512bf16,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::bf16_avx512,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::generic_avx2::<Bf16>,
            Isa::Neon => generic::<Bf16, true, 4>,
            _ => generic::<Bf16, false, 4>,
        }
    }

    fn streaming_kernel() -> Kernel<Bf16> {
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Amx {
            return super::amx::bf16_amx::<{ ahead::B }>;
        }
        Self::kernel()
    }

    fn filling_kernel() -> Kernel<Bf16> {
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Amx {
            return super::amx::bf16_amx::<{ ahead::C }>;
        }
        Self::kernel()
    }

    #[cfg(target_arch = "x86_64")]
    unsafe fn run_beside<W: Steps>(
        streaming: bool,
        rows: usize,
        reduction: usize,
        (a, lda): (&[Bf16], usize),
        b: &[Bf16],
        c: *mut f32,
        next: *const Bf16,
        work: &mut W,
    ) {
        debug_assert!(a.len() >= (rows - 1) * lda + reduction && b.len() >= reduction * PANEL);
        let (groups, from) = (reduction / Bf16::GROUP, std::ptr::null());
        // SAFETY: by this function's contract, on a machine whose instruction set has the features.
        unsafe {
            match isa() {
                Isa::Amx if streaming => {
                    bf16_amx_beside::<{ ahead::B }, W>(rows, groups, a.as_ptr(), lda, b.as_ptr(), c, PANEL, from, work)
                }
                Isa::Amx => bf16_amx_beside::<{ ahead::NOTHING }, W>(
                    rows,
                    groups,
                    a.as_ptr(),
                    lda,
                    b.as_ptr(),
                    c,
                    PANEL,
                    from,
                    work,
                ),
                _ => run_after(Self::kernel(), rows, reduction, (a, lda), b, c, next, work),
            }
        }
    }

    fn tile_rows() -> usize {
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Amx {
            return super::amx::TILE_ROWS;
        }
        TILE_ROWS
    }

    fn tiles_together() -> usize {
        if matches!(isa(), Isa::Avx512Bf16 | Isa::Avx512) { TILES_TOGETHER } else { 1 }
    }

    fn pass() -> usize {
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Amx {
            return super::amx::PASS;
        }
        PASS
    }

    fn block_bytes() -> usize {
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Amx {
            return super::amx::BLOCK_BYTES;
        }
        BLOCK_BYTES
    }

    fn reads_panels() -> bool {
        isa() != Isa::Amx
    }

    fn interleave(rows: &[Bf16], stride: usize, out: &mut [Bf16]) {
        interleave_pairs(rows, stride, out);
    }

    fn turn(rows: &[Bf16], stride: usize, out: &mut [Bf16], out_stride: usize) {
        turn_bf16(rows, stride, out, out_stride);
    }
}

/// Lanes that the generic kernel handles at a time: 16 columns of up to 6 rows fill the 16 registers of AVX2.
const LANES: usize = 16;

/// The kernel in plain Rust, which the compiler vectorises for the features it may use.
///
/// # Safety
/// `a` holds `rows` rows, `lda` apart, of `groups` groups, `group_stride` apart, `b` a panel as long, `c` `rows` rows of 32, and so does
/// `from` unless it is null.
#[inline(always)]
unsafe fn generic<E: Element, const FMA: bool, const HEIGHT: usize>(
    rows: usize,
    groups: usize,
    a: *const E,
    lda: usize,
    group_stride: usize,
    b: *const E,
    c: *mut f32,
    ldc: usize,
    from: *const f32,
    _next: *const E,
) {
    let mut row = 0;
    while row < rows {
        let height = (rows - row).min(HEIGHT);
        for half in 0..PANEL / LANES {
            let mut sums = [[0.0f32; LANES]; HEIGHT];
            // SAFETY: rows below `rows`, columns below 32, groups below `groups`.
            unsafe {
                for (i, sum) in sums.iter_mut().enumerate().take(height) {
                    if !from.is_null() {
                        let from = from.add((row + i) * ldc + half * LANES);
                        std::ptr::copy_nonoverlapping(from, sum.as_mut_ptr(), LANES);
                    }
                }
                for group in 0..groups {
                    let b_group = b.add((group * PANEL + half * LANES) * E::GROUP);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        // Rows beyond the tile repeat its last one, so that the loop has a fixed length.
                        let a_group = a.add((row + i.min(height - 1)) * lda + group * group_stride);
                        for part in 0..E::GROUP {
                            let factor = (*a_group.add(part)).to_f32();
                            for (lane, value) in sum.iter_mut().enumerate() {
                                *value = fma::<FMA>(factor, (*b_group.add(lane * E::GROUP + part)).to_f32(), *value);
                            }
                        }
                    }
                }
                for (i, sum) in sums.iter().enumerate().take(height) {
                    let to = c.add((row + i) * ldc + half * LANES);
                    std::ptr::copy_nonoverlapping(sum.as_ptr(), to, LANES);
                }
            }
        }
        row += height;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Bf16, Element, PANEL, TILE_ROWS, generic};
    use crate::memory::{LINE, prefetch_line};
    use std::arch::x86_64::*;

    /// # Safety
    /// As `generic`, on a machine with AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn generic_avx2<E: Element>(
        rows: usize,
        groups: usize,
        a: *const E,
        lda: usize,
        group_stride: usize,
        b: *const E,
        c: *mut f32,
        ldc: usize,
        from: *const f32,
        next: *const E,
    ) {
        // SAFETY: by this function's contract.
        unsafe { generic::<E, true, 6>(rows, groups, a, lda, group_stride, b, c, ldc, from, next) }
    }

    /// Defines a kernel for tiles of up to 14 rows: a body generic over the height, called with the height as a constant.
    macro_rules! avx512_kernel {
        ($d:tt $(#[$meta:meta])* $name:ident, $element:ty, $features:literal, |$sum:ident, $a:ident, $b:ident| $step:expr) => {
            $(#[$meta])*
            ///
            /// # Safety
            /// As `generic`, on a machine with the features; `rows` is 1 to 14.
            #[target_feature(enable = $features)]
            pub unsafe fn $name(
                rows: usize,
                groups: usize,
                a: *const $element,
                lda: usize,
                group_stride: usize,
                b: *const $element,
                c: *mut f32,
                ldc: usize,
                from: *const f32,
                next: *const $element,
            ) {
                #[target_feature(enable = $features)]
                #[inline]
                unsafe fn tile<const HEIGHT: usize>(
                    groups: usize,
                    a: *const $element,
                    lda: usize,
                    group_stride: usize,
                    b: *const $element,
                    c: *mut f32,
                    ldc: usize,
                    from: *const f32,
                    next: *const $element,
                ) {
                    const GROUP: usize = <$element as Element>::GROUP;
                    let mut sums = [[_mm512_setzero_ps(); 2]; HEIGHT];
                    // SAFETY: by the contract of the function around.
                    unsafe {
                        if !from.is_null() {
                            for (row, sum) in sums.iter_mut().enumerate() {
                                sum[0] = _mm512_loadu_ps(from.add(row * ldc));
                                sum[1] = _mm512_loadu_ps(from.add(row * ldc + 16));
                            }
                        }
                        for group in 0..groups {
                            let panel = b.add(group * PANEL * GROUP).cast::<i32>();
                            prefetch_line(next.wrapping_byte_add(group * LINE));
                            let columns = [
                                _mm512_loadu_si512(panel.cast()),
                                _mm512_loadu_si512(panel.add(16).cast()),
                            ];
                            for row in 0..HEIGHT {
                                let $a = _mm512_set1_epi32(a.add(row * lda + group * group_stride).cast::<i32>().read_unaligned());
                                for half in 0..2 {
                                    let $b = columns[half];
                                    let $sum = sums[row][half];
                                    sums[row][half] = $step;
                                }
                            }
                        }
                        for (row, sum) in sums.iter().enumerate() {
                            _mm512_storeu_ps(c.add(row * ldc), sum[0]);
                            _mm512_storeu_ps(c.add(row * ldc + 16), sum[1]);
                        }
                    }
                }
                macro_rules! dispatch {
                    ($d($height:literal)*) => {
                        match rows {
                            // SAFETY: by this function's contract.
                            $d($height => unsafe { tile::<$height>(groups, a, lda, group_stride, b, c, ldc, from, next) },)*
                            _ => unreachable!("a tile of {rows} rows; at most {TILE_ROWS}"),
                        }
                    };
                }
                dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
            }
        };
    }

    avx512_kernel!($
        /// f32 products.
        f32_avx512, f32, "avx512f", |sum, a, b| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum)
    );

    avx512_kernel!($
        /// bf16 pairs by the dot-product instruction.
        bf16_avx512bf16, Bf16, "avx512f,avx512bf16", |sum, a, b| {
            _mm512_dpbf16_ps(sum, std::mem::transmute::<__m512i, __m512bh>(a), std::mem::transmute::<__m512i, __m512bh>(b))
        }
    );

    avx512_kernel!($
        /// bf16 pairs widened to f32, first the lower of the pair, then the upper.
        bf16_avx512, Bf16, "avx512f", |sum, a, b| {
            let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            let low = _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(a)),
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(b)),
                sum,
            );
            _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_and_si512(a, mask)),
                _mm512_castsi512_ps(_mm512_and_si512(b, mask)),
                low,
            )
        }
    );
}
