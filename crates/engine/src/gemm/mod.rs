//! Matrix products `C = A B` with one order of summation: each element of C adds its products along the reduction one
//! group after another (AMX: one block of 32 after another), whatever the number of rows, the tiling or the threads. That is what makes the sampler's numbers
//! equal the trainer's.
//!
//! A is row-major, its rows the tokens; for a gradient, whose reduction runs over the tokens, it is packed like B or turned around by each task. B is packed in panels of 32 columns: `[columns / 32][reduction / GROUP][32][GROUP]`.
//! C is f32, row-major.

mod across;
#[cfg(target_arch = "x86_64")]
mod amx;
mod beside;
mod crowded;
mod kernels;
mod pack;
mod task;
mod thread_buffer;
mod tile;
mod transpose;
mod turn;
mod unpack;
mod visits;

pub use across::gemm_across;
#[cfg(target_arch = "x86_64")]
pub use amx::permitted as amx_permitted;
pub use beside::Steps;
use crowded::WORTH_SPREADING;
pub use pack::{Panels, PanelsView, pack_columns, pack_rows, repack_transposed};
use task::split;
pub(crate) use task::{Task, lines_of_tile, run_tasks};
use tile::run_after;
pub use tile::run_tile;
pub(crate) use tile::{Tile, row_tile, row_tiles};
pub use transpose::transpose_groups;
use unpack::with_rows;
pub use visits::{TileWork, Visits, gemm_visits};

use crate::element::Element;
use crate::pool::{Parts, Pool};

/// Columns of a panel.
pub const PANEL: usize = 32;

/// Rows that one call of a vector kernel computes at most: 14 rows of two 16-lane vectors are 28 of the 32 AVX-512 registers.
const TILE_ROWS: usize = 14;

/// Rows that one call of any kernel computes at most.
pub const MAX_TILE_ROWS: usize = 32;
#[cfg(target_arch = "x86_64")]
const _: () = assert!(TILE_ROWS <= MAX_TILE_ROWS && amx::TILE_ROWS <= MAX_TILE_ROWS);

/// Reduction length of one pass of the vector kernels: 14 rows of A stay in the L1 cache while they meet a panel.
const PASS: usize = 1024;

/// Longest reduction of products whose panels were packed just before, and whose C is small, as attention's gradients
/// are.
const NEAR: usize = 128;

/// Bytes of B that a task goes over again and again: half of a 1 MiB L2 cache.
const BLOCK_BYTES: usize = 512 << 10;

/// Row tiles that meet a panel together: those of 32 rows, which are what a step of decoding usually has, and some more.
const TILES_TOGETHER: usize = 4;

/// Row tiles of a task at most, and of each where there are many: what a task reads of B is read once for so many.
const TASK_TILES: usize = 8;

/// Computes `rows` x 32 elements of C from rows of A (`lda` apart, their groups `group_stride` apart) and a panel, over `groups` groups of the reduction.
/// The sums start from `from`, whose rows are `ldc` apart like C's and which may be C, or from zero where that is null. With each group one line
/// from `next` on may be asked for: what will be read soon.
pub type Kernel<E> = unsafe fn(
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
);

/// Elements with kernels for every instruction set.
pub trait GemmElement: Element {
    /// The kernel of this process's instruction set.
    fn kernel() -> Kernel<Self>;
    /// Gives the same bits, faster where the panels come from beyond the L2 cache.
    fn streaming_kernel() -> Kernel<Self> {
        Self::kernel()
    }
    /// Gives the same bits, faster where C lies beyond the L1 cache and is computed from left to right.
    fn filling_kernel() -> Kernel<Self> {
        Self::kernel()
    }
    /// One tile as `kernel`, or where `streaming` as `streaming_kernel`, from zero, with `work` done on the way: before anything is written to C.
    /// `next`: see `Kernel`.
    ///
    /// # Safety
    /// As `run_tile`, of whole panels: `c` holds `rows` times 32 numbers, which `work` may use until its last step.
    unsafe fn run_beside<W: Steps>(
        streaming: bool,
        rows: usize,
        reduction: usize,
        a: (&[Self], usize),
        b: &[Self],
        c: *mut f32,
        next: *const Self,
        work: &mut W,
    ) {
        let kernel = if streaming { Self::streaming_kernel() } else { Self::kernel() };
        // SAFETY: by this function's contract.
        unsafe { run_after(kernel, rows, reduction, a, b, c, next, work) };
    }
    /// Rows that one call of that kernel computes at most.
    fn tile_rows() -> usize {
        TILE_ROWS
    }
    /// Row tiles that meet a panel one after another: several where the kernel asks for the next one meanwhile.
    fn tiles_together() -> usize {
        1
    }
    /// Reduction length of one pass.
    fn pass() -> usize {
        PASS
    }
    /// Bytes of B that stay in the L2 cache, with what else a task works on.
    fn block_bytes() -> usize {
        BLOCK_BYTES
    }
    /// Whether that kernel reads A packed as panels, or only by rows.
    fn reads_panels() -> bool {
        true
    }
    /// Writes whole groups of a panel: of 32 columns of rows `stride` apart, as many as `out` holds.
    fn interleave(rows: &[Self], stride: usize, out: &mut [Self]);
    /// Turns `TURNED` groups of rows, `stride` apart, of 32 columns each, into the first elements of 32 rows of `out`.
    fn turn(rows: &[Self], stride: usize, out: &mut [Self], out_stride: usize) {
        turn::turn_by_groups(rows, stride, out, out_stride);
    }
}

/// The matrix A: `rows` rows of which `reduction` elements count, `stride` elements apart.
#[derive(Clone, Copy)]
pub struct Rows<'a, E> {
    pub data: &'a [E],
    pub rows: usize,
    pub stride: usize,
}

impl<E> Rows<'_, E> {
    /// Panics unless the rows hold a reduction of that length.
    pub(crate) fn check(&self, reduction: usize) {
        let held = self.data.len() >= (self.rows - 1) * self.stride + reduction;
        assert!(self.stride >= reduction && held, "A is too small");
    }
}

/// The matrix C: row `i` starts at `i * stride + offset`.
pub struct Output<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    pub offset: usize,
}

/// `C = A B`, or `C += A B` where `accumulate`. Shapes: A [rows, reduction], B [reduction, columns], C [rows, columns].
/// The reduction of A must be padded with zeros to a multiple of the group; `stride` of A has room for that.
pub fn gemm<E: GemmElement>(pool: &Pool, a: Rows<'_, E>, b: PanelsView<'_, E>, c: Output<'_>, accumulate: bool) {
    let rows = a.rows;
    if rows == 0 {
        return;
    }
    a.check(b.reduction);
    let start = if accumulate { Start::Itself } else { Start::Zero };
    drive(pool, rows, row_tiles(a), &|tile| row_tile(a, tile), b, c, start);
}

/// `C = D + A B`, as `gemm` of a copy of D would add it. `d` has the shape and the layout of C.
pub fn gemm_onto<E: GemmElement>(pool: &Pool, a: Rows<'_, E>, b: PanelsView<'_, E>, d: &[f32], c: Output<'_>) {
    let rows = a.rows;
    if rows == 0 {
        return;
    }
    a.check(b.reduction);
    assert!(d.len() == c.data.len(), "C and D differ");
    drive(pool, rows, row_tiles(a), &|tile| row_tile(a, tile), b, c, Start::From(d));
}

/// What the sums of C start from.
#[derive(Clone, Copy)]
enum Start<'a> {
    Zero,
    Itself,
    From(&'a [f32]),
}

/// `C = A B`, or `C += A B`, with A packed as panels: its rows are the columns of `a`.
pub fn gemm_packed<E: GemmElement>(
    pool: &Pool,
    a: PanelsView<'_, E>,
    b: PanelsView<'_, E>,
    c: Output<'_>,
    accumulate: bool,
) {
    assert!(a.reduction == b.reduction, "the reductions of A and B differ");
    if !E::reads_panels() {
        return with_rows(pool, a, |rows| gemm(pool, rows, b, c, accumulate));
    }
    // A panel of 32 rows runs as 11, 11 and 10.
    const STARTS: [usize; 4] = [0, 11, 22, 32];
    let tiles = |rows: usize| rows / PANEL * 3 + STARTS.iter().position(|&start| rows % PANEL <= start).unwrap_or(3);
    let tile = |tile: usize| {
        let (panel, part) = (tile / 3, tile % 3);
        let row = panel * PANEL + STARTS[part];
        let height = (panel * PANEL + STARTS[part + 1]).min(a.columns) - row;
        let data = &a.panel(panel)[STARTS[part] * E::GROUP..];
        Tile { row, height, data, stride: E::GROUP, group_stride: PANEL * E::GROUP }
    };
    let start = if accumulate { Start::Itself } else { Start::Zero };
    drive(pool, a.columns, tiles(a.columns), &tile, b, c, start);
}

fn drive<'a, E: GemmElement>(
    pool: &Pool,
    rows: usize,
    row_tiles: usize,
    tile: &(dyn Fn(usize) -> Tile<'a, E> + Sync),
    b: PanelsView<'_, E>,
    c: Output<'_>,
    begin: Start<'_>,
) {
    let (columns, padded) = (b.columns, b.reduction);
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(c.data.len() >= (rows - 1) * c.stride + c.offset + columns, "C is too small");
    let far = padded > NEAR;
    let (first_kernel, kernel) =
        if far { (E::streaming_kernel(), E::filling_kernel()) } else { (E::kernel(), E::kernel()) };
    let output = Parts::new(c.data);
    let pass = E::pass();
    let panel_bytes = padded.min(pass) * PANEL * size_of::<E>();
    split::<E>(pool, row_tiles, b.panels(), panel_bytes, &|task| {
        let mut spread_rows = vec![Vec::new(); E::tiles_together().min(task.tiles.len())];
        for start in (0..padded.max(1)).step_by(pass) {
            let length = (padded - start).min(pass);
            let part = |panel: usize, start: usize| &b.panel(panel)[start * PANEL..];
            for group in task.groups::<E>() {
                let spreading = far && task.units.len() >= WORTH_SPREADING;
                let at_hand: Vec<Tile<'_, E>> = group
                    .clone()
                    .zip(&mut spread_rows)
                    .map(|(index, room)| tile(index).part(start, length, spreading.then_some(room)))
                    .collect();
                let kernel = if task.begins_with(&group) { first_kernel } else { kernel };
                for panel in task.units.clone() {
                    let (b_panel, width) = (part(panel, start), (columns - panel * PANEL).min(PANEL));
                    let next = match task.after(&group, panel) {
                        Some(_) if panel + 1 == task.units.end && start + length < padded => {
                            Some(part(task.units.start, start + length))
                        }
                        next => next.map(|next| part(next, start)),
                    };
                    for (index, tile) in at_hand.iter().enumerate() {
                        let c_offset = tile.row * c.stride + c.offset + panel * PANEL;
                        // SAFETY: bounds are asserted above and by slicing; tasks write disjoint tiles of C.
                        unsafe {
                            let c_tile = output.pointer().add(c_offset);
                            let from = match begin {
                                _ if start > 0 => c_tile.cast_const(),
                                Start::Zero => std::ptr::null(),
                                Start::Itself => c_tile.cast_const(),
                                Start::From(d) => d.as_ptr().add(c_offset),
                            };
                            let next = lines_of_tile(b_panel, next, index, length);
                            tile.run(kernel, length, b_panel, c_tile, c.stride, width, from, next);
                        }
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests;
