use std::sync::Arc;

use super::*;
use crate::config::ModelConfig;
use crate::element::Bf16;
use crate::model::init::Random;
use crate::model::layout::Layout;
use crate::model::plan::{Item, plan};
use crate::ops::head::Queries;

const VERSION: TapeVersion = (1, 0);

/// An empty tape of a model of 2 layers with QK-norm, with room for so many rows, that takes rows.
fn tape<E: GemmElement>(rows: usize) -> Tape<E> {
    let text = r#"{"model_type": "qwen3", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "head_dim": 10,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64,
        "tie_word_embeddings": true}"#;
    let layout = Arc::new(Layout::new(ModelConfig::from_json(text, "tiny").unwrap(), false));
    let shapes = layout.shapes.clone();
    let weights =
        Weights::build(&Pool::new(1), layout, |place| Ok(vec![0.0; place.rows.len() * shapes[place.tensor].columns]))
            .unwrap();
    let row = Tape::<E>::new(&weights, 0, VERSION).records.row_bytes();
    let mut tape = Tape::new(&weights, rows * row, VERSION);
    tape.turn(true);
    tape
}

/// Places the end of a sequence, from position `start` on.
fn place<E: GemmElement>(tape: &mut Tape<E>, cursor: &mut Cursor, tokens: &[u32], start: usize) -> Vec<TapedRow> {
    let mut placed = Vec::new();
    tape.place(VERSION, cursor, tokens, start, 0, &mut placed);
    placed
}

/// As a step that computes zeros.
fn step<E: GemmElement>(tape: &mut Tape<E>, cursor: &mut Cursor, tokens: &[u32], start: usize) -> usize {
    let placed = place(tape, cursor, tokens, start);
    tape.write_last(&Pool::new(1), &vec![0.0; tokens.len() * 16], &placed);
    placed.len()
}

fn find<E: GemmElement>(tape: &mut Tape<E>, tokens: &[u32], mask: Mask) -> Option<Vec<u32>> {
    tape.find(VERSION, &plan(&[Item { tokens, mask }], true))
}

fn numbers<E: GemmElement>(random: &mut Random, rows: usize, width: usize) -> Buffer<E> {
    (0..rows * width).map(|_| E::from_f32(random.normal())).collect::<Vec<E>>().into()
}

/// What was written comes back, whichever rows are asked for in whichever order.
fn comes_back<E: GemmElement>() {
    let mut random = Random::new(3);
    let pool = Pool::new(2);
    let count = 1500;
    let mut tape = tape::<E>(count);
    let (floats, elements) = (tape.records.floats, tape.records.elements);
    let mut layers: Vec<LayerKept<E>> = Vec::new();
    for _ in 0..2 {
        let [input, middle, log_sums, raw_qkv] = floats.map(|width| numbers::<f32>(&mut random, count, width));
        let [queries, keys, values, attended, gate_up] = elements.map(|width| numbers::<E>(&mut random, count, width));
        layers.push(LayerKept { input, raw_qkv, queries, keys, values, attended, log_sums, middle, gate_up });
    }
    let last = numbers::<f32>(&mut random, count, 16);
    let placed: Vec<TapedRow> =
        (0..count).map(|from| TapedRow { from: from as u32, to: (from * 7 % count) as u32 }).collect();
    for part in placed.chunks(400) {
        layers.iter().enumerate().for_each(|(layer, kept)| tape.write_layer(&pool, layer, kept, part));
        tape.write_last(&pool, &last, part);
    }
    let wanted: Vec<usize> = (0..900).map(|_| (random.uniform() * count as f32) as usize % count).collect();
    let rows: Vec<u32> = wanted.iter().map(|&from| placed[from].to).collect();
    let mut free = Buffers::default();
    fn same<T: Copy>(got: &[T], from: &[T], wanted: &[usize], bits: impl Fn(T) -> u32) {
        let width = got.len() / wanted.len();
        for (got, &row) in got.chunks_exact(width.max(1)).zip(wanted) {
            let want = &from[row * width..(row + 1) * width];
            assert!(got.iter().zip(want).all(|(&got, &want)| bits(got) == bits(want)), "row {row}");
        }
        assert_eq!(got.len(), width * wanted.len());
    }
    for (layer, want) in layers.iter().enumerate() {
        let got = tape.layer(&pool, layer, &rows, &mut free);
        for (got, want) in [
            (&got.input, &want.input),
            (&got.middle, &want.middle),
            (&got.log_sums, &want.log_sums),
            (&got.raw_qkv, &want.raw_qkv),
        ] {
            same(got, want, &wanted, f32::to_bits);
        }
        for (got, want) in [
            (&got.queries, &want.queries),
            (&got.keys, &want.keys),
            (&got.values, &want.values),
            (&got.attended, &want.attended),
            (&got.gate_up, &want.gate_up),
        ] {
            same(got, want, &wanted, |value| value.to_f32().to_bits());
        }
    }
    same(&tape.last(&pool, &rows, &mut free), &last, &wanted, f32::to_bits);
}

#[test]
fn what_was_written_comes_back_in_any_order() {
    comes_back::<f32>();
    comes_back::<Bf16>();
}

#[test]
fn a_row_is_found_by_all_tokens_before_it_and_taken_once() {
    let mut tape = tape::<f32>(100);
    let (mut one, mut other) = (Cursor::default(), Cursor::default());
    assert_eq!(step(&mut tape, &mut one, &[1, 2, 3], 0), 3);
    assert_eq!(step(&mut tape, &mut one, &[1, 2, 3, 4], 3), 1);
    // A sequence that begins as another does follows it, and what both have is there already.
    assert_eq!(step(&mut tape, &mut other, &[1, 2, 3, 4, 5], 2), 1);
    assert_eq!(tape.rows(), 5);
    assert_eq!(find(&mut tape, &[1, 2, 3, 4, 5], Mask::Causal), Some(vec![0, 1, 2, 3, 4]));
    assert_eq!(find(&mut tape, &[1, 2], Mask::Causal), Some(vec![0, 1]));
    for (tokens, mask) in [(&[2, 3][..], Mask::Causal), (&[1, 2, 4], Mask::Causal), (&[1, 2], Mask::Bidirectional)] {
        assert_eq!(find(&mut tape, tokens, mask), None, "{tokens:?}");
    }
    // One whose beginning was computed elsewhere has no place.
    assert_eq!(step(&mut tape, &mut Cursor::default(), &[1, 9, 3], 2), 0);
    assert_eq!(tape.find((2, 0), &plan(&[Item { tokens: &[1], mask: Mask::Causal }], true)), None);
}

#[test]
fn rows_of_a_step_that_failed_are_not_found() {
    let mut tape = tape::<f32>(100);
    let mut cursor = Cursor::default();
    step(&mut tape, &mut cursor, &[1, 2], 0);
    assert_eq!(place(&mut tape, &mut cursor, &[1, 2, 3], 2).len(), 1);
    assert_eq!(find(&mut tape, &[1, 2], Mask::Causal), None);
    assert_eq!(step(&mut tape, &mut Cursor::default(), &[1], 0), 1);
    assert_eq!(find(&mut tape, &[1], Mask::Causal), Some(vec![0]));
    assert_eq!(find(&mut tape, &[1, 2], Mask::Causal), None);
}

#[test]
fn more_rows_than_there_is_room_for_leave_none_until_a_version_would_fit() {
    let mut tape = tape::<f32>(3);
    for rows in [4, 4, 2] {
        let kept = step(&mut tape, &mut Cursor::default(), &[1, 2, 3, 4][..rows], 0);
        assert_eq!((kept, tape.bytes()), (0, 0));
        tape.turn(false);
        tape.renew(VERSION);
        tape.turn(true);
    }
    assert_eq!(step(&mut tape, &mut Cursor::default(), &[1, 2, 3], 0), 3);
    // What is there already needs no room.
    assert_eq!(step(&mut tape, &mut Cursor::default(), &[1, 2, 3], 0), 0);
    assert_eq!(find(&mut tape, &[1, 2, 3], Mask::Causal), Some(vec![0, 1, 2]));
    assert_eq!(tape.bytes(), 3 * tape.records.row_bytes());
    tape.renew(VERSION);
    assert!(tape.bytes() > 0 && tape.rows() == 0);
}

#[test]
fn rows_that_a_backward_pass_will_read_stay_when_room_ends() {
    let mut tape = tape::<f32>(3);
    let mut cursor = Cursor::default();
    step(&mut tape, &mut cursor, &[1, 2], 0);
    let rows = find(&mut tape, &[1, 2], Mask::Causal).expect("two rows");
    assert_eq!(step(&mut tape, &mut cursor, &[1, 2, 3, 4], 2), 0);
    assert_eq!(find(&mut tape, &[1, 2], Mask::Causal), None);
    assert_eq!(tape.last(&Pool::new(1), &rows, &mut Buffers::default()).len(), 2 * 16);
    tape.read();
    tape.renew(VERSION);
    assert_eq!(tape.bytes(), 0);
}

#[test]
fn nothing_is_taken_while_it_is_off_or_of_other_weights() {
    let mut tape = tape::<f32>(10);
    let mut placed = Vec::new();
    tape.place((1, 5), &mut Cursor::default(), &[1], 0, 0, &mut placed);
    tape.turn(false);
    tape.place(VERSION, &mut Cursor::default(), &[1], 0, 0, &mut placed);
    assert!(placed.is_empty() && tape.rows() == 0);
}

#[test]
fn what_the_head_said_is_known_of_the_tokens_that_were_drawn_at_that_temperature() {
    let mut tape = tape::<f32>(10);
    let mut cursor = Cursor::default();
    step(&mut tape, &mut cursor, &[1, 2], 0);
    let said = |inverse_temperature: f32| RowSaid { inverse_temperature, log_sum: 3.5, entropy: 0.25 };
    tape.say(&cursor, 2, said(1.0), 7, -1.5);
    tape.say(&cursor, 2, said(1.0), 8, -2.5);
    // Of a token whose beginning is not on the tape nothing is kept.
    tape.say(&cursor, 3, said(1.0), 9, -3.5);
    let asked = |tape: &Tape<f32>, row: u32, inverse_temperature: f32, targets: &[u32]| {
        let queries = Queries { offsets: &[0, targets.len()], targets };
        tape.said(&[row], inverse_temperature, &queries).map(|said| (said.log_sums, said.entropies, said.logprobs))
    };
    assert_eq!(asked(&tape, 1, 1.0, &[8, 7]), Some((vec![3.5], vec![0.25], vec![-2.5, -1.5])));
    for (row, inverse_temperature, target) in [(1, 1.0, 9), (1, 2.0, 7), (0, 1.0, 7)] {
        assert_eq!(asked(&tape, row, inverse_temperature, &[target]), None, "{row} {inverse_temperature} {target}");
    }
    tape.say(&cursor, 2, said(2.0), 7, -4.5);
    assert_eq!(asked(&tape, 1, 2.0, &[7]), Some((vec![3.5], vec![0.25], vec![-4.5])));
    assert_eq!(asked(&tape, 1, 2.0, &[8]), None);
    tape.renew(VERSION);
    assert_eq!(asked(&tape, 1, 2.0, &[7]), None);
}
