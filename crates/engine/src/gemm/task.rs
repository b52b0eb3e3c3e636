//! How a product is split into tasks, and what a task will read soon.

use std::ops::Range;

use super::{GemmElement, TASK_TILES};
use crate::element::Element;
use crate::memory::LINE;
use crate::pool::Pool;

/// A part of C: columns of B, in units that a visit of a row tile goes over, and tiles of A.
pub(crate) struct Task {
    pub units: Range<usize>,
    pub tiles: Range<usize>,
    /// The first unit of the task that this task's thread is likely to take next, where it is another.
    pub then: Option<usize>,
}

impl Task {
    /// The tiles that meet a unit one after another, group by group.
    pub fn groups<E: GemmElement>(&self) -> impl Iterator<Item = Range<usize>> {
        let (end, together) = (self.tiles.end, E::tiles_together());
        self.tiles.clone().step_by(together).map(move |first| first..end.min(first + together))
    }

    /// Whether a group of tiles is the first, whose units come from beyond the L2 cache.
    pub fn begins_with(&self, group: &Range<usize>) -> bool {
        group.start == self.tiles.start
    }

    /// What is read after a unit, where a group does not read it again.
    pub fn after(&self, group: &Range<usize>, unit: usize) -> Option<usize> {
        match unit + 1 {
            _ if !self.begins_with(group) => None,
            next if next < self.units.end => Some(next),
            _ => self.then,
        }
    }
}

/// Where tile `index` of a group asks for lines of the panel after this one, a line with each of its groups of the reduction: two tiles reach
/// all of a panel. Elsewhere its own panel, which is there.
pub(crate) fn lines_of_tile<E: Element>(panel: &[E], next: Option<&[E]>, index: usize, reduction: usize) -> *const E {
    let (groups, line) = (reduction / E::GROUP, LINE / size_of::<E>());
    let asked = next.and_then(|next| next.get(index * groups * line..)).filter(|rest| rest.len() >= groups * line);
    asked.unwrap_or(panel).as_ptr()
}

/// Splits C into tasks of columns of B that stay in the L2 cache, in units of so many bytes each, and of tiles of A.
pub(super) fn split<E: GemmElement>(
    pool: &Pool,
    row_tiles: usize,
    units: usize,
    unit_bytes: usize,
    work: &(dyn Fn(&Task) + Sync),
) {
    let threads = pool.threads();
    let fitting = (E::block_bytes() / unit_bytes.max(1)).max(1);
    // Few rows: every panel is read once, and the columns alone are work for all threads.
    let few = row_tiles < TASK_TILES * threads;
    let most = if few { fitting.min(units.div_ceil(2 * threads)).max(1) } else { fitting };
    let column_tasks = units.div_ceil(most);
    let column_tasks = if few { column_tasks.next_multiple_of(threads).min(units) } else { column_tasks };
    let together = row_tiles <= E::tiles_together() && column_tasks >= 2 * threads;
    let row_tasks = if together { 1 } else { (4 * threads).div_ceil(column_tasks).clamp(1, row_tiles) };
    let tiles_of_task = if few { row_tiles.div_ceil(row_tasks).min(TASK_TILES) } else { TASK_TILES };
    run_tasks(pool, (row_tiles, tiles_of_task), column_tasks, &|column_task| column_task * units / column_tasks, work);
}

/// Runs tasks of so many of the row tiles, and of the units from `first_unit(i)` to `first_unit(i + 1)` for each `i` below `column_tasks`. Those of the same
/// units follow each other.
pub(crate) fn run_tasks(
    pool: &Pool,
    (row_tiles, tiles_of_task): (usize, usize),
    column_tasks: usize,
    first_unit: &(dyn Fn(usize) -> usize + Sync),
    work: &(dyn Fn(&Task) + Sync),
) {
    let row_tasks = row_tiles.div_ceil(tiles_of_task.max(1));
    pool.run(column_tasks * row_tasks, &|task| {
        let (column_task, tile) = (task / row_tasks, task % row_tasks * tiles_of_task);
        let then = (task + pool.threads()) / row_tasks;
        work(&Task {
            units: first_unit(column_task)..first_unit(column_task + 1),
            tiles: tile..(tile + tiles_of_task).min(row_tiles),
            then: (then != column_task && then < column_tasks).then(|| first_unit(then)),
        });
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;
    use crate::element::Bf16;

    #[test]
    fn tasks_are_every_tile_of_every_unit_once_and_a_load_for_every_thread() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            for (row_tiles, units, bytes) in
                [(1, 1, 64), (4, 1, 9000), (3, 18, 36864), (8, 48, 73728), (200, 18, 65536)]
            {
                let met = Mutex::new(BTreeSet::new());
                let tasks = Mutex::new(0);
                split::<Bf16>(&pool, row_tiles, units, bytes, &|task| {
                    *tasks.lock().expect("tasks") += 1;
                    for group in task.groups::<Bf16>() {
                        for unit in task.units.clone() {
                            for tile in group.clone() {
                                assert!(met.lock().expect("tiles").insert((unit, tile)), "{unit} {tile} twice");
                            }
                            assert!(task.after(&group, unit).is_none_or(|next| next < units && next != unit));
                        }
                    }
                });
                assert_eq!(met.into_inner().expect("tiles").len(), row_tiles * units);
                let tasks = tasks.into_inner().expect("tasks");
                assert!(tasks >= threads.min(row_tiles * units), "{tasks} tasks for {threads} threads");
            }
        }
    }

    #[test]
    fn two_tiles_ask_for_all_lines_of_the_next_panel() {
        let (panel, next) = (vec![0.0f32; 32 * 10], vec![0.0f32; 32 * 10]);
        let line_of = |index: usize| {
            let at = lines_of_tile(&panel, Some(&next), index, 10) as usize;
            at.checked_sub(next.as_ptr() as usize).map(|bytes| bytes / LINE)
        };
        assert_eq!((line_of(0), line_of(1)), (Some(0), Some(10)));
        assert_eq!(lines_of_tile(&panel, Some(&next), 2, 10), panel.as_ptr());
        assert_eq!(lines_of_tile(&panel, None, 0, 10), panel.as_ptr());
    }
}
