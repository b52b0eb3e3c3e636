use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::sample::{Choice, Event, Finish};
use crate::session::model::Model;
use crate::session::runtime::{Runtime, Sampler};
use crate::session::sampling::SampleAsk;
use crate::session::source::Source;

pub(super) fn ask(id: u64, prompt: &[u32], count: usize, max_tokens: usize) -> SampleAsk {
    let choice =
        Choice { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: 1, bias: Vec::new(), top_logprobs: 0 };
    let (prompt, stop_tokens) = (prompt.to_vec(), Vec::new());
    SampleAsk { id, prompt, count, first_sample: 0, max_tokens, choice, stop_tokens }
}

pub(super) fn prompt(seed: u64, length: usize) -> Vec<u32> {
    sequence(seed, length).input
}

/// Asks, and gives back where to hear.
pub(super) fn sample(model: &dyn AnyModel, runtime: &Runtime, ask: SampleAsk) -> Receiver<Event> {
    let (sender, receiver) = channel();
    model.sample(runtime, ask, Box::new(move |event| drop(sender.send(event)))).unwrap();
    receiver
}

fn tokens(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Token(..))).count()
}

#[test]
fn a_request_on_broken_weights_fails_alone_and_says_why() {
    let base = tiny(Precision::Bf16);
    let mut broken = base.trainable(Some(lora(2)), false, 0).unwrap();
    let name = "model.layers.0.mlp.down_proj.lora_B.weight";
    let length = broken.parameter(name).unwrap().len();
    broken.set_parameter(name, &vec![f32::NAN; length]).unwrap();
    let runtime = Runtime::start();
    let good = sample(&*base, &runtime, ask(1, &prompt(1, 40), 2, 50));
    let bad = sample(&*broken, &runtime, ask(2, &prompt(2, 40), 2, 50));
    let after = sample(&*base, &runtime, ask(3, &prompt(3, 5), 1, 10));
    let bad: Vec<Event> = bad.iter().collect();
    let [Event::Failed(problem)] = bad.as_slice() else { panic!("{bad:?}") };
    assert_eq!(problem, "the model's logits are not finite: the weights hold NaN or infinity");
    assert_eq!(tokens(&good.iter().collect::<Vec<_>>()), 100);
    assert_eq!(tokens(&after.iter().collect::<Vec<_>>()), 10);
}

/// A model whose samples are stepped by hand, with room for so many pages of keys and values.
fn by_hand(pages: usize) -> Model<f32> {
    let config = tiny(Precision::F32).config().clone();
    let bytes = crate::ops::pages::Pages::<f32>::page_bytes(
        crate::ops::pages::Heads { heads: 2, kv_heads: 1, dim: 8 },
        config.num_layers,
    );
    let options =
        LoadOptions { precision: Precision::F32, threads: 1, kv_bytes: pages * bytes, activation_bytes: 1 << 20 };
    Model::build(config, Source::Seed(1), &options).unwrap()
}

/// Submits to a model that is stepped by hand.
fn submit(model: &Model<f32>, ask: SampleAsk) -> Receiver<Event> {
    let (sender, receiver) = channel();
    let hear = Box::new(move |event| drop(sender.send(event)));
    let mut group = model.sampling.lock().unwrap();
    group.submit(&model.weights, model.version, None, None, ask, hear).unwrap();
    receiver
}

#[test]
fn a_failure_inside_the_engine_reaches_every_request_with_its_message_and_later_ones_run() {
    let model = by_hand(100);
    let other = submit(&model, ask(1, &prompt(1, 10), 1, 200));
    let (sender, receiver) = channel();
    let hear = move |event| {
        assert!(!matches!(event, Event::Token(..)), "out of ink");
        drop(sender.send(event));
    };
    let broken = ask(2, &prompt(2, 10), 3, 200);
    model.sampling.lock().unwrap().submit(&model.weights, model.version, None, None, broken, Box::new(hear)).unwrap();
    let runtime = Runtime::start();
    runtime.run_sampler(std::sync::Arc::clone(&model.sampling) as _);
    for events in [other, receiver] {
        let last = events.iter().last();
        let Some(Event::Failed(problem)) = last else { panic!("{last:?}") };
        assert!(problem.contains("out of ink"), "{problem}");
    }
    let later = sample(&model, &runtime, ask(3, &prompt(1, 10), 1, 20));
    assert_eq!(tokens(&later.iter().collect::<Vec<_>>()), 20);
}

#[test]
fn samples_of_a_request_in_flight_start_before_requests_that_wait() {
    let model = by_hand(4);
    let (one, two) = (submit(&model, ask(1, &prompt(1, 5), 2, 40)), submit(&model, ask(2, &prompt(2, 5), 1, 40)));
    let mut group = model.sampling.lock().unwrap();
    let mut ended = Vec::new();
    while group.step() {
        for (id, events) in [(1, &one), (2, &two)] {
            ended.extend(events.try_iter().filter(|event| matches!(event, Event::End(..))).map(|_| id));
        }
    }
    ended.extend(two.try_iter().filter(|event| matches!(event, Event::End(..))).map(|_| 2));
    assert_eq!(ended, [1, 1, 2]);
}

#[test]
fn all_versions_of_one_base_share_one_bound_on_keys_and_values() {
    let base = by_hand(8);
    let other = crate::session::trainable::trainable(&base, None, false, 0).unwrap();
    assert_ne!(base.version, other.version);
    let heard: Vec<Receiver<Event>> =
        (0..6).map(|id| submit(if id % 2 == 0 { &base } else { &other }, ask(id, &prompt(id, 33), 2, 60))).collect();
    let mut group = base.sampling.lock().unwrap();
    let mut versions = 0;
    while group.step() {
        versions = versions.max(group.schedulers.len());
        assert!(group.memory.table.taken() <= 8);
    }
    assert_eq!(versions, 2);
    for events in heard {
        let events: Vec<Event> = events.try_iter().collect();
        assert_eq!(events.iter().filter(|event| matches!(event, Event::End(_, Finish::Length))).count(), 2);
    }
}

#[test]
fn a_sample_is_ended_by_what_its_model_left_behind() {
    let base = by_hand(20);
    let abort = base.aborter();
    let events = submit(&base, ask(1, &prompt(1, 5), 1, 200));
    // The runtime holds what is in flight, as this does here.
    let group = std::sync::Arc::clone(&base.sampling);
    drop(base);
    assert!(group.lock().unwrap().step() && group.lock().unwrap().step());
    abort(1, None);
    assert!(!group.lock().unwrap().step());
    assert_eq!(events.try_iter().last(), Some(Event::End(0, Finish::Aborted)));
    drop(group);
    abort(1, None);
}
