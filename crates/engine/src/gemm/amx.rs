//! Tiles of Intel's AMX: registers of 16 rows of 64 bytes, of which one instruction multiplies 16 x 32 bf16 numbers by 32 x 16.
//!
//! That instruction adds 32 products to an element of C: those at even places of the reduction are summed from zero, those at odd
//! places too, and the sum of both is added. The order of summation is thus by blocks of 32, counted from the start of the
//! reduction; a last block that is not full is filled with zeros, which change no bit.
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBF16PS.
//!
//! The compiler knows nothing of the tile registers and has no use for them, so what one `asm!` block leaves there the next one finds, and
//! none says that it changes them. Nor does other code on the threads that run products: they are the engine's own.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::cell::Cell;
use std::sync::OnceLock;

use super::PANEL;
use super::beside::{Idle, Steps};
use crate::element::Bf16;

/// Rows of a kernel call at most: two tiles of C above each other, two beside, so that four sums hide the latency.
pub const TILE_ROWS: usize = 32;

/// Reduction length of one pass: 8 tiles of A, the columns of B beside them and their part of C stay in the L2 cache.
pub const PASS: usize = 512;

/// Bytes of B that a task goes over again and again: a third of the 2 MiB L2 cache that every processor with tiles has.
pub const BLOCK_BYTES: usize = 640 << 10;

/// Rows of one tile register.
const REGISTER_ROWS: usize = 16;

/// Groups of the reduction in one tile register.
const BLOCK: usize = 16;

/// Whether the CPU has the tiles and the system lets this process use them; asks the system the first time.
pub fn permitted() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| has_tiles() && system_permits())
}

// Rust 1.94 made the two functions safe.
#[allow(unused_unsafe)]
fn has_tiles() -> bool {
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BF16_AND_TILES == BF16_AND_TILES }
}

/// Linux saves the 8 KiB of tile registers only for processes that asked.
#[cfg(target_os = "linux")]
fn system_permits() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn system_permits() -> bool {
    false
}

/// What LDTILECFG reads: bytes of a row and rows of each register.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Shapes the registers for a tile of `rows` rows: 0 to 3 are C, 4 and 5 are A, 6 and 7 are B.
///
/// # Safety
/// `permitted` is true, `rows` is 1 to 32, and nothing else shapes the registers of this thread.
#[inline]
unsafe fn shape_registers(rows: usize) {
    thread_local! {
        static SHAPED: Cell<usize> = const { Cell::new(0) };
    }
    if SHAPED.get() == rows {
        return;
    }
    let upper = rows.min(REGISTER_ROWS) as u8;
    let lower = rows as u8 - upper;
    let mut shapes = Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    shapes.rows[..8].copy_from_slice(&[upper, upper, lower, lower, upper, lower, 16, 16]);
    for (bytes, rows) in shapes.row_bytes.iter_mut().zip(shapes.rows) {
        *bytes = if rows == 0 { 0 } else { 64 };
    }
    // SAFETY: the instruction reads the 64 bytes of `shapes`.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly)) };
    SHAPED.set(rows);
}

/// What a kernel asks for ahead of its use. What is at hand already is better not asked for: it costs up to a fifth of
/// the speed.
pub mod ahead {
    pub const NOTHING: u8 = 0;
    /// Blocks of B.
    pub const B: u8 = 1;
    /// The tile of C to the right of this one, which the call after this mostly works on, and that of what its sums
    /// start from.
    pub const C: u8 = 2;
}

/// What stands between two instructions on tiles, at one of the eight places of a block. While something else keeps the processor's other
/// half busy, one that follows another within eight instructions holds it up: without these a product takes up to 1.7 times as long then, and
/// as long otherwise.
///
/// Where B is asked for ahead, an eighth of a block of it, 256 bytes, is asked for here twice: in the L2 cache that of 16 blocks on, 32 KiB, about as
/// long as memory takes to answer, and in the L1 cache that of the block after the next. Those after a panel's end are mostly the next panel's; an
/// address beyond B is harmless.
macro_rules! gap {
    (waiting, $place:literal) => {
        ".rept 8\nnop\n.endr"
    };
    (asking, $place:literal) => {
        concat!(
            ".irp line, 0, 64, 128, 192\nprefetcht1 [{b} + 16 * 2048 + ",
            $place,
            " * 256 + \\line]\nprefetcht0 [{b} + 2 * 2048 + ",
            $place,
            " * 256 + \\line]\n.endr\n",
            ".rept 2\nnop\n.endr"
        )
    };
}

/// Adds the products of 32 places of the reduction, unsafely: the registers are shaped for the rows of `a`, two tiles of them where `two`, and `b`
/// holds 16 groups of a panel. B goes by what is to stay in the L1 cache, so that the rows of A, which the next panel meets again, stay there: a
/// quarter faster. A step of `work` is done after each half, in the place of what would only wait there.
macro_rules! add_block {
    ($two:expr, $a:expr, $lda:expr, $b:expr, $gap:ident, $work:expr) => {{
        let (a, lda, b) = ($a, $lda, $b);
        asm!(
            "tileloaddt1 tmm6, [{b} + {ldb}]",
            gap!($gap, 0),
            "tileloaddt1 tmm7, [{b} + {ldb} + 64]",
            gap!($gap, 1),
            "tileloadd tmm4, [{a} + {lda}]",
            gap!($gap, 2),
            "tdpbf16ps tmm0, tmm4, tmm6",
            gap!($gap, 3),
            "tdpbf16ps tmm1, tmm4, tmm7",
            a = in(reg) a,
            lda = in(reg) lda * 2,
            b = in(reg) b,
            ldb = in(reg) PANEL * 4,
            options(nostack, readonly),
        );
        step_or_wait!($gap, 4, b, $work);
        if $two {
            asm!(
                "tileloadd tmm5, [{lower} + {lda}]",
                gap!($gap, 5),
                "tdpbf16ps tmm2, tmm5, tmm6",
                gap!($gap, 6),
                "tdpbf16ps tmm3, tmm5, tmm7 /* {b} */",
                lower = in(reg) a.wrapping_add(REGISTER_ROWS * lda),
                lda = in(reg) lda * 2,
                b = in(reg) b,
                options(nostack, readonly),
            );
        } else {
            asm!(gap!($gap, 5), gap!($gap, 6), "/* {b} */", b = in(reg) b, options(nostack, readonly));
        }
        step_or_wait!($gap, 7, b, $work);
    }};
}

/// A step of the work beside, or what stands there without.
macro_rules! step_or_wait {
    (waiting, $place:literal, $b:expr, $work:expr) => {
        if !$work.step() {
            asm!(gap!(waiting, $place), options(nostack, nomem));
        }
    };
    (asking, $place:literal, $b:expr, $work:expr) => {
        asm!(gap!(asking, $place), b = in(reg) $b, options(nostack, readonly));
        $work.step();
    };
}

/// bf16 products by tiles; `group_stride` is that of row-major A. `AHEAD_OF_USE` is one of `ahead`.
///
/// # Safety
/// As `generic`, where `Isa::Amx` is available; `rows` is 1 to 32, and nothing else shapes this thread's tile registers.
pub unsafe fn bf16_amx<const AHEAD_OF_USE: u8>(
    rows: usize,
    groups: usize,
    a: *const Bf16,
    lda: usize,
    group_stride: usize,
    b: *const Bf16,
    c: *mut f32,
    ldc: usize,
    from: *const f32,
    _next: *const Bf16,
) {
    debug_assert!(group_stride == 2, "the tiles read A by rows");
    // SAFETY: by this function's contract: `Isa::Amx` asks for the features.
    unsafe { bf16_amx_beside::<AHEAD_OF_USE, Idle>(rows, groups, a, lda, b, c, ldc, from, &mut Idle) }
}

/// As `bf16_amx`, with `work` done on the way: before anything is written to C.
///
/// # Safety
/// As `bf16_amx`, on a machine with the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn bf16_amx_beside<const AHEAD_OF_USE: u8, W: Steps>(
    rows: usize,
    groups: usize,
    a: *const Bf16,
    lda: usize,
    b: *const Bf16,
    c: *mut f32,
    ldc: usize,
    from: *const f32,
    work: &mut W,
) {
    debug_assert!((1..=TILE_ROWS).contains(&rows));
    // SAFETY: by this function's contract; the last block is read from copies that are long enough.
    unsafe {
        shape_registers(rows);
        let two = rows > REGISTER_ROWS;
        load_sums(two, from, ldc);
        for block in 0..groups / BLOCK {
            if AHEAD_OF_USE == ahead::C && block < TILE_ROWS / 2 {
                let beside = 2 * block * ldc + PANEL;
                prefetch_rows(c.wrapping_add(beside), ldc);
                if !from.is_null() && from != c {
                    prefetch_rows(from.wrapping_add(beside), ldc);
                }
            }
            let (a_block, b_block) = (a.add(block * 2 * BLOCK), b.add(block * BLOCK * 2 * PANEL));
            if AHEAD_OF_USE == ahead::B {
                add_block!(two, a_block, lda, b_block, asking, work);
            } else {
                add_block!(two, a_block, lda, b_block, waiting, work);
            }
        }
        let rest = groups % BLOCK;
        if rest > 0 {
            let done = groups - rest;
            let mut a_end = [Bf16::default(); TILE_ROWS * 2 * BLOCK];
            for (row, to) in a_end.chunks_exact_mut(2 * BLOCK).enumerate().take(rows) {
                std::ptr::copy_nonoverlapping(a.add(row * lda + 2 * done), to.as_mut_ptr(), 2 * rest);
            }
            let mut b_end = [Bf16::default(); BLOCK * 2 * PANEL];
            std::ptr::copy_nonoverlapping(b.add(done * 2 * PANEL), b_end.as_mut_ptr(), rest * 2 * PANEL);
            add_block!(two, a_end.as_ptr(), 2 * BLOCK, b_end.as_ptr(), waiting, work);
        }
        while work.step() {}
        store_sums(two, c, ldc);
    }
}

/// Asks for two rows of a tile of C in the L1 cache, to be written; an address beyond C is harmless.
#[inline(always)]
fn prefetch_rows(tile: *const f32, ldc: usize) {
    // SAFETY: a prefetch never faults, and every processor with tiles has this one.
    unsafe {
        asm!("prefetchw [{tile}]", "prefetchw [{tile} + 64]",
            "prefetchw [{tile} + {ldc}]", "prefetchw [{tile} + {ldc} + 64]",
            tile = in(reg) tile, ldc = in(reg) ldc * 4, options(nostack, preserves_flags));
    }
}

/// # Safety
/// The registers are shaped for the rows of `from`, two tiles of them where `two`; it may be null.
#[inline(always)]
unsafe fn load_sums(two: bool, from: *const f32, ldc: usize) {
    // SAFETY: by this function's contract.
    unsafe {
        if from.is_null() {
            asm!("tilezero tmm0", "tilezero tmm1", options(nostack, nomem));
            if two {
                asm!("tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
            }
            return;
        }
        asm!("tileloadd tmm0, [{from} + {ldc}]", "tileloadd tmm1, [{from} + {ldc} + 64]",
            from = in(reg) from, ldc = in(reg) ldc * 4, options(nostack, readonly));
        if two {
            asm!("tileloadd tmm2, [{from} + {ldc}]", "tileloadd tmm3, [{from} + {ldc} + 64]",
                from = in(reg) from.add(REGISTER_ROWS * ldc), ldc = in(reg) ldc * 4, options(nostack, readonly));
        }
    }
}

/// # Safety
/// The registers are shaped for the rows of `c`.
#[inline(always)]
unsafe fn store_sums(two: bool, c: *mut f32, ldc: usize) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!("tilestored [{c} + {ldc}], tmm0", "tilestored [{c} + {ldc} + 64], tmm1",
            c = in(reg) c, ldc = in(reg) ldc * 4, options(nostack));
        if two {
            asm!("tilestored [{c} + {ldc}], tmm2", "tilestored [{c} + {ldc} + 64], tmm3",
                c = in(reg) c.add(REGISTER_ROWS * ldc), ldc = in(reg) ldc * 4, options(nostack));
        }
    }
}
