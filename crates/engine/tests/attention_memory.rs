//! Going back through a prefix tree takes memory for its rows, not for every path from the root.

mod counting_allocator;

use counting_allocator::peak_of;
use whetstone_engine::ops::attention::{Mask, Span};
use whetstone_engine::ops::attention_backward::{AttentionBackward, OutputGradient};
use whetstone_engine::ops::pages::Heads;
use whetstone_engine::ops::rope::RopeTable;
use whetstone_engine::pool::Pool;

#[test]
fn many_branches_on_one_trunk_do_not_multiply_the_memory_of_attentions_gradient() {
    let (trunk, branches, dim) = (400usize, 200usize, 32usize);
    let heads = Heads { heads: 1, kv_heads: 1, dim };
    let rows = trunk + branches;
    let span = |first_row, rows, start| Span { first_row, rows, start, pages: Vec::new(), mask: Mask::Causal };
    let mut spans = vec![span(0, trunk, 0)];
    let mut path_rows: Vec<Vec<u32>> = vec![(0..trunk as u32).collect()];
    for branch in 0..branches {
        spans.push(span(trunk + branch, 1, trunk));
        let mut path = path_rows[0].clone();
        path.push((trunk + branch) as u32);
        path_rows.push(path);
    }
    let kept = vec![0.1f32; rows * dim];
    let log_sums = vec![5.0f32; rows];
    let rope = RopeTable::new(&[0.1; 16], rows);
    let attention = AttentionBackward {
        heads,
        window: None,
        spans: &spans,
        path_rows: &path_rows,
        rope: &rope,
        queries: &kept,
        keys: &kept,
        values: &kept,
        log_sums: &log_sums,
    };
    let pool = Pool::new(2);
    let d_out = OutputGradient { rounded: &kept, deltas: &log_sums };
    let mut d_qkv = vec![0.0f32; rows * 3 * dim];
    let ((), peak) = peak_of(|| attention.run(&pool, d_out, &mut d_qkv));
    assert!(d_qkv.iter().all(|value| value.is_finite()));
    let all_paths = 2 * branches * trunk * dim * size_of::<f32>();
    let shared_totals = 2 * trunk * dim * size_of::<f32>();
    assert!(peak < all_paths / 10 + shared_totals, "{peak} bytes; the gradients of all paths would take {all_paths}");
}
