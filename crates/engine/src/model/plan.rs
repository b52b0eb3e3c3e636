//! A batch of sequences as a prefix tree: what several sequences begin with becomes one run of rows.

use crate::ops::attention::{Mask, Span};
use crate::ops::pages::{PAGE, PageWrite};

/// A sequence to plan: its input tokens and how its rows see each other.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub tokens: &'a [u32],
    pub mask: Mask,
}

/// A run of tokens with one parent.
struct Node {
    parent: Option<usize>,
    start: usize,
    tokens: Vec<u32>,
    children: Vec<usize>,
    mask: Mask,
}

/// The rows of a batch.
#[derive(Debug, Default)]
pub struct Plan {
    pub tokens: Vec<u32>,
    pub positions: Vec<u32>,
    pub spans: Vec<Span>,
    pub writes: Vec<PageWrite>,
    /// For each span, the row of each position from 0 to the span's end.
    pub path_rows: Vec<Vec<u32>>,
    /// For each sequence, the row of each of its positions.
    pub sequence_rows: Vec<Vec<u32>>,
    pub pages: usize,
}

/// Plans sequences; `share` computes common beginnings of causal sequences once.
pub fn plan(items: &[Item<'_>], share: bool) -> Plan {
    let (nodes, ends) = build(items, share);
    lay_out(&nodes, &ends)
}

/// The tree and the node at which each sequence ends.
fn build(items: &[Item<'_>], share: bool) -> (Vec<Node>, Vec<usize>) {
    let mut nodes: Vec<Node> = Vec::new();
    let mut roots: Vec<usize> = Vec::new();
    let mut ends: Vec<usize> = Vec::with_capacity(items.len());
    for item in items {
        let mut at = 0;
        let mut parent = None;
        let shareable = share && item.mask == Mask::Causal;
        while shareable && at < item.tokens.len() {
            let siblings = parent.map_or(&roots, |parent: usize| &nodes[parent].children);
            let matching =
                |&&node: &&usize| nodes[node].mask == Mask::Causal && nodes[node].tokens[0] == item.tokens[at];
            let Some(&node) = siblings.iter().find(matching) else { break };
            let rest = &item.tokens[at..];
            let common = nodes[node].tokens.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if common < nodes[node].tokens.len() {
                split(&mut nodes, node, common, &mut ends);
            }
            at += common;
            parent = Some(node);
        }
        if at < item.tokens.len() || parent.is_none() {
            let node = nodes.len();
            let tokens = item.tokens[at..].to_vec();
            nodes.push(Node { parent, start: at, tokens, children: Vec::new(), mask: item.mask });
            match parent {
                Some(parent) => nodes[parent].children.push(node),
                None => roots.push(node),
            }
            ends.push(node);
        } else {
            ends.extend(parent);
        }
    }
    (nodes, ends)
}

/// Cuts a node after `common` tokens. The node keeps the beginning and its number; a new one takes the rest, and the
/// sequences that ended there.
fn split(nodes: &mut Vec<Node>, node: usize, common: usize, ends: &mut [usize]) {
    let tail = nodes.len();
    let tokens = nodes[node].tokens.split_off(common);
    let children = std::mem::replace(&mut nodes[node].children, vec![tail]);
    for &child in &children {
        nodes[child].parent = Some(tail);
    }
    let (start, mask) = (nodes[node].start + common, nodes[node].mask);
    nodes.push(Node { parent: Some(node), start, tokens, children, mask });
    ends.iter_mut().filter(|end| **end == node).for_each(|end| *end = tail);
}

fn lay_out(nodes: &[Node], ends: &[usize]) -> Plan {
    let mut plan = Plan::default();
    let mut span_of = vec![usize::MAX; nodes.len()];
    let mut order: Vec<usize> = (0..nodes.len()).filter(|&node| nodes[node].parent.is_none()).collect();
    order.reverse();
    while let Some(index) = order.pop() {
        let node = &nodes[index];
        order.extend(node.children.iter().rev());
        let first_row = plan.tokens.len();
        let (mut pages, mut path) = (Vec::new(), Vec::new());
        if let Some(parent) = node.parent {
            pages.extend_from_slice(&plan.spans[span_of[parent]].pages[..node.start / PAGE]);
            path.extend_from_slice(&plan.path_rows[span_of[parent]]);
        }
        path.extend((0..node.tokens.len()).map(|i| (first_row + i) as u32));
        // The page in which the parent ends is this node's own: the parent's rows in it are written here as well.
        while pages.len() * PAGE < path.len() {
            let from = pages.len() * PAGE;
            for (slot, &row) in path[from..].iter().take(PAGE).enumerate() {
                plan.writes.push(PageWrite { row, page: plan.pages as u32, slot: slot as u32 });
            }
            pages.push(plan.pages as u32);
            plan.pages += 1;
        }
        plan.tokens.extend_from_slice(&node.tokens);
        plan.positions.extend((node.start..path.len()).map(|position| position as u32));
        span_of[index] = plan.spans.len();
        plan.spans.push(Span { first_row, rows: node.tokens.len(), start: node.start, pages, mask: node.mask });
        plan.path_rows.push(path);
    }
    plan.sequence_rows = ends.iter().map(|&end| plan.path_rows[span_of[end]].clone()).collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causal(tokens: &[u32]) -> Item<'_> {
        Item { tokens, mask: Mask::Causal }
    }

    #[test]
    fn computes_a_shared_beginning_once() {
        let plan = plan(&[causal(&[1, 2, 3, 4]), causal(&[1, 2, 5]), causal(&[1, 2]), causal(&[7])], true);
        assert_eq!(plan.tokens.len(), 2 + 2 + 1 + 1);
        assert_eq!(plan.sequence_rows[0][..2], plan.sequence_rows[1][..2]);
        assert_eq!(plan.sequence_rows[2], plan.sequence_rows[0][..2]);
    }

    #[test]
    fn every_sequence_finds_its_tokens_on_its_path() {
        let sequences: Vec<Vec<u32>> = (0..40u32)
            .map(|i| (0..(i * 7) % 90 + 1).map(|t| if t < (i * 5) % 70 { t % 3 } else { (i + t) % 4 }).collect())
            .collect();
        let items: Vec<Item<'_>> = sequences.iter().map(|tokens| causal(tokens)).collect();
        for share in [true, false] {
            let plan = plan(&items, share);
            for (tokens, rows) in sequences.iter().zip(&plan.sequence_rows) {
                let found: Vec<u32> = rows.iter().map(|&row| plan.tokens[row as usize]).collect();
                assert_eq!(&found, tokens);
            }
            for (span, path) in plan.spans.iter().zip(&plan.path_rows) {
                assert_eq!(path.len(), span.end());
                for (position, &row) in path.iter().enumerate() {
                    let (page, slot) = (span.pages[position / PAGE], (position % PAGE) as u32);
                    let written = plan.writes.iter().any(|w| (w.row, w.page, w.slot) == (row, page, slot));
                    assert!(written, "row {row} is missing from page {page}");
                }
            }
        }
    }
}
