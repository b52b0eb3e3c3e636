//! Training on what sampling kept.

use super::sampling::{ask, prompt, sample};
use super::*;
use crate::model::train::NO_TARGET;
use crate::sample::Event;
use crate::session::model::Model;
use crate::session::runtime::{Runtime, Sampler};
use crate::session::source::Source;

const ACTIVATION_BYTES: usize = 1 << 24;

/// Models whose forward passes go by different ways: biases, QK-norm, a sliding window, heads by whole tiles.
const MODELS: [&str; 4] = [
    r#""model_type": "qwen2", "hidden_size": 16, "intermediate_size": 24, "head_dim": 8"#,
    r#""model_type": "qwen3", "hidden_size": 24, "intermediate_size": 32, "head_dim": 12"#,
    r#""model_type": "mistral", "hidden_size": 16, "intermediate_size": 24, "head_dim": 8, "sliding_window": 9"#,
    r#""model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "head_dim": 32"#,
];

fn model_of(fields: &str, precision: Precision, activation_bytes: usize) -> Box<dyn AnyModel> {
    let text = format!(
        r#"{{{fields}, "vocab_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": 256, "bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": true,
        "initializer_range": 0.3}}"#
    );
    let options = LoadOptions { precision, threads: 2, kv_bytes: 1 << 20, activation_bytes };
    new_model(ModelConfig::from_json(&text, "tiny").unwrap(), 1, &options).unwrap()
}

/// A tiny model in training.
fn trained(activation_bytes: usize) -> Box<dyn AnyModel> {
    let mut model = model_of(MODELS[0], Precision::F32, activation_bytes).trainable(None, false, 0).unwrap();
    train(&mut *model, 1, false);
    model
}

/// Draws samples of prompts together; the prompts with what was drawn.
fn draw(model: &dyn AnyModel, runtime: &Runtime, prompts: &[Vec<u32>], count: usize) -> Vec<Vec<u32>> {
    let heard: Vec<_> = prompts
        .iter()
        .enumerate()
        .map(|(id, prompt)| sample(model, runtime, ask(id as u64, prompt, count, 20)))
        .collect();
    let mut all = Vec::new();
    for (prompt, events) in prompts.iter().zip(heard) {
        let mut drawn = vec![prompt.clone(); count];
        for event in events {
            if let Event::Token(sample, picked) = event {
                drawn[sample].push(picked.token);
            }
        }
        all.extend(drawn);
    }
    all
}

/// Asks for each next token of the drawn sequences.
fn to_train(drawn: &[Vec<u32>]) -> Inputs {
    let sequence = |tokens: &Vec<u32>| Sequence {
        input: tokens[..tokens.len() - 1].to_vec(),
        target: tokens[1..].iter().map(|&token| token as i32).collect(),
        mask: Mask::Causal,
    };
    let mut inputs = inputs(drawn.iter().map(sequence).collect(), false);
    inputs.ask.entropy = true;
    inputs
}

/// As `to_train`, but asks for tokens from position `first` on alone, at a temperature.
fn from_position(first: usize, temperature: f32, drawn: &[Vec<u32>]) -> Inputs {
    let mut inputs = to_train(drawn);
    inputs.ask.temperature = temperature;
    inputs.sequences.iter_mut().for_each(|sequence| sequence.target[..first - 1].fill(NO_TARGET));
    inputs
}

/// The bits of what a pass says and of all its gradients, and whether it was sampled. Leaves no gradient behind.
fn pass(model: &mut dyn AnyModel, inputs: &Inputs, recompute: bool) -> (Vec<u32>, bool) {
    let (said, sampled) = model.forward_keep(inputs, recompute).unwrap();
    let mut bits: Vec<u32> = said.logprobs.concat().iter().map(|value| value.to_bits()).collect();
    bits.extend(said.entropy.iter().flatten().flatten().map(|value| value.to_bits()));
    let mut random = Random::new(5);
    let mut given = |rows: &Vec<Vec<f32>>| -> Vec<Vec<f32>> {
        rows.iter().map(|row| row.iter().map(|_| random.normal()).collect()).collect()
    };
    let (logprobs, entropy) = (given(&said.logprobs), said.entropy.as_ref().map(given));
    model.backward(&TokenOutputs { logprobs, entropy, values: None }).unwrap();
    for name in model.parameter_names() {
        bits.extend(model.gradient(&name).iter().flatten().map(|value| value.to_bits()));
    }
    model.discard(true);
    (bits, sampled)
}

#[test]
fn a_pass_over_what_was_sampled_has_the_bits_of_computing_it_again() {
    let runtime = Runtime::start();
    for fields in MODELS {
        for precision in [Precision::F32, Precision::Bf16] {
            for method in [None, Some(lora(2))] {
                let base = model_of(fields, precision, ACTIVATION_BYTES);
                let mut model = base.trainable(method, false, 0).unwrap();
                train(&mut *model, 2, false);
                // Pages that were read before do not stand in the way.
                let stem = prompt(1, 70);
                draw(&*model, &runtime, std::slice::from_ref(&stem), 1);
                model.keep_sampled(true).unwrap();
                let branch = [&stem[..50], &prompt(2, 30)].concat();
                let mut drawn = draw(&*model, &runtime, &[stem, branch, prompt(3, 5)], 3);
                // A second turn, after the first one's answer.
                let second = [&drawn[0][..], &prompt(4, 11)].concat();
                drawn.extend(draw(&*model, &runtime, &[second], 2));
                model.keep_sampled(false).unwrap();
                let all = to_train(&drawn);
                let apart = Inputs { share: false, ..to_train(&drawn) };
                // What the head said of the drawn tokens is known, but of the second of these lists not at that temperature.
                let first = drawn[9].len() - 20;
                let [asked, tempered] = [1.0, 0.7].map(|t| from_position(first, t, &drawn[9..]));
                let passes = [(&all, false), (&apart, false), (&all, true), (&asked, false), (&tempered, true)];
                let kept = passes.map(|(inputs, recompute)| pass(&mut *model, inputs, recompute));
                model.forget_sampled();
                for ((inputs, recompute), (bits, sampled)) in passes.into_iter().zip(kept) {
                    assert!(sampled, "{fields}");
                    assert_eq!((bits, false), pass(&mut *model, inputs, recompute), "{fields}");
                }
            }
        }
    }
}

/// Falsifies what a tape remembers at several versions of the weights: of which sequences the truth is told all the same.
fn checked_sequences(method: Option<LoraConfig>) -> Vec<Vec<usize>> {
    let options =
        LoadOptions { precision: Precision::F32, threads: 2, kv_bytes: 1 << 20, activation_bytes: ACTIVATION_BYTES };
    let config = tiny(Precision::F32).config().clone();
    let base = Model::<f32>::build(config, Source::Seed(1), &options).unwrap();
    let mut model = crate::session::trainable::trainable(&base, method, false, 0).unwrap();
    let (runtime, prompt) = (Runtime::start(), prompt(1, 10));
    let of_version = |_| {
        train(&mut model, 1, false);
        model.keep_sampled(true).unwrap();
        let drawn = draw(&model, &runtime, std::slice::from_ref(&prompt), 10);
        let inputs = from_position(prompt.len(), 1.0, &drawn);
        let said = model.forward(&inputs).unwrap();
        model.tape.as_ref().unwrap().lock().unwrap().misremember();
        let (misremembered, sampled) = AnyModel::forward_keep(&mut model, &inputs, false).unwrap();
        assert!(sampled);
        let all = misremembered.logprobs.iter().zip(&said.logprobs).enumerate();
        let (told, rest): (Vec<_>, Vec<_>) = all.partition(|(_, (got, want))| got == want);
        for (_, (got, want)) in rest {
            let asked = |said: &[f32]| said[prompt.len() - 1..].to_vec();
            assert!(asked(got).iter().zip(asked(want)).all(|(got, want)| *got == want - 1.0));
        }
        told.into_iter().map(|(index, _)| index).collect()
    };
    (0..6).map(of_version).collect()
}

#[test]
fn one_sequence_of_those_on_tape_is_computed_again_another_at_each_version() {
    for method in [None, Some(lora(2))] {
        let checked = checked_sequences(method);
        assert!(checked.iter().all(|indices| indices.len() == 1), "{checked:?}");
        assert!(checked.iter().any(|indices| *indices != checked[0]), "{checked:?}");
    }
}

#[test]
fn a_micro_batch_with_a_row_that_was_not_sampled_is_computed() {
    let runtime = Runtime::start();
    let mut model = trained(ACTIVATION_BYTES);
    model.keep_sampled(true).unwrap();
    let mut drawn = draw(&*model, &runtime, &[prompt(1, 40), prompt(2, 40)], 2);
    let known = to_train(&drawn);
    drawn[1].push(7);
    let one_more = to_train(&drawn);
    let other_mask = {
        let mut inputs = to_train(&drawn[..1]);
        inputs.sequences[0].mask = Mask::Prefix(3);
        inputs
    };
    let kept = [&known, &one_more, &other_mask].map(|inputs| pass(&mut *model, inputs, false));
    assert_eq!(kept.each_ref().map(|(_, sampled)| *sampled), [true, false, false]);
    model.forget_sampled();
    let computed = [&known, &one_more, &other_mask].map(|inputs| pass(&mut *model, inputs, false));
    assert_eq!(kept.map(|(bits, _)| bits), computed.map(|(bits, _)| bits));
}

#[test]
fn samples_that_need_more_memory_are_computed_again_and_hold_none() {
    let runtime = Runtime::start();
    let prompts = [prompt(1, 40), prompt(2, 40)];
    let mut roomy = trained(ACTIVATION_BYTES);
    let before = roomy.bytes();
    roomy.keep_sampled(true).unwrap();
    let drawn = draw(&*roomy, &runtime, &prompts, 2);
    let want = pass(&mut *roomy, &to_train(&drawn), false);
    assert!(want.1 && roomy.bytes() > before + 100_000);
    // A row takes 1,160 bytes.
    let mut narrow = trained(100 * 1160);
    narrow.keep_sampled(true).unwrap();
    assert_eq!(draw(&*narrow, &runtime, &prompts, 2), drawn);
    assert!(narrow.bytes() < before + 100_000);
    assert_eq!(pass(&mut *narrow, &to_train(&drawn), false), (want.0, false));
}

#[test]
fn what_was_sampled_by_other_weights_is_not_used() {
    let runtime = Runtime::start();
    let directory = std::env::temp_dir().join(format!("whetstone-tape-{}", std::process::id()));
    trained(ACTIVATION_BYTES).save_state(&directory).unwrap();
    let name = "model.norm.weight";
    type Change<'a> = &'a dyn Fn(&mut dyn AnyModel);
    let changes: [Change<'_>; 3] =
        [&|model| train(model, 1, false), &|model| model.set_parameter(name, &[1.5; 16]).unwrap(), &|model| {
            model.load_state(&directory).unwrap()
        }];
    for change in changes {
        let mut model = trained(ACTIVATION_BYTES);
        model.keep_sampled(true).unwrap();
        let drawn = to_train(&draw(&*model, &runtime, &[prompt(1, 40)], 2));
        change(&mut *model);
        let (bits, sampled) = pass(&mut *model, &drawn, false);
        model.forget_sampled();
        assert_eq!((bits, sampled), pass(&mut *model, &drawn, false));
        assert!(!sampled);
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn weights_that_change_between_the_passes_end_a_micro_batch_that_was_sampled() {
    let runtime = Runtime::start();
    let mut model = trained(ACTIVATION_BYTES);
    model.keep_sampled(true).unwrap();
    let drawn = to_train(&draw(&*model, &runtime, &[prompt(1, 40)], 1));
    let (said, sampled) = model.forward_keep(&drawn, false).unwrap();
    assert!(sampled);
    model.set_parameter("model.norm.weight", &[1.5; 16]).unwrap();
    let error = model.backward(&said).unwrap_err().to_string();
    assert!(error.contains("no forward pass"), "{error}");
}

#[test]
fn samples_in_flight_when_weights_change_leave_nothing() {
    let config = tiny(Precision::F32).config().clone();
    let options =
        LoadOptions { precision: Precision::F32, threads: 1, kv_bytes: 1 << 20, activation_bytes: ACTIVATION_BYTES };
    let base = Model::<f32>::build(config, Source::Seed(1), &options).unwrap();
    let mut model = crate::session::trainable::trainable(&base, None, false, 0).unwrap();
    model.keep_sampled(true).unwrap();
    let rows = |model: &Model<f32>| model.tape.as_ref().unwrap().lock().unwrap().rows();
    // The events are heard by nobody; samples are drawn all the same.
    let begin = |model: &Model<f32>| {
        let (tape, ask) = (model.tape.clone(), ask(1, &prompt(1, 10), 1, 50));
        model
            .sampling
            .lock()
            .unwrap()
            .submit(&model.weights, model.version, None, tape, ask, Box::new(|_| {}))
            .unwrap();
    };
    begin(&model);
    (0..5).for_each(|_| assert!(model.sampling.lock().unwrap().step()));
    assert_eq!(rows(&model), 10 + 4);
    model.set_parameter("model.norm.weight", &[1.5; 16]).unwrap();
    while model.sampling.lock().unwrap().step() {}
    assert_eq!(rows(&model), 0);
    begin(&model);
    while model.sampling.lock().unwrap().step() {}
    assert_eq!(rows(&model), 10 + 49);
}

#[test]
fn a_model_that_is_not_trained_keeps_nothing() {
    let error = tiny(Precision::F32).keep_sampled(true).unwrap_err().to_string();
    assert!(error.contains("not trained"), "{error}");
}
