use super::*;

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Bf16];

#[test]
fn a_model_made_from_a_snapshot_starts_from_the_snapshots_weights() {
    for precision in PRECISIONS {
        let mut trained = tiny(precision).trainable(None, true, 0).unwrap();
        train(&mut *trained, 3, true);
        let mut snapshot = trained.snapshot();
        let want = says(&mut *snapshot, true);
        for method in [None, Some(lora(2))] {
            let mut again = snapshot.trainable(method, true, 0).unwrap();
            let name = "model.layers.0.mlp.up_proj.weight";
            assert_eq!(again.parameter(name).unwrap(), snapshot.parameter(name).unwrap());
            assert_eq!(says(&mut *again, true).logprobs, want.logprobs);
            assert_eq!(says(&mut *again, true).values, want.values);
            // What follows a step is computed from the same values, too.
            let before = again.parameter("score.weight").unwrap();
            train(&mut *again, 1, true);
            assert!(distance(&before, &again.parameter("score.weight").unwrap()) <= 0.021);
            let moved = says(&mut *again, true).logprobs;
            assert!(moved != want.logprobs && distance(&moved[0], &want.logprobs[0]) < 3.0);
        }
    }
}

#[test]
fn a_model_without_a_scalar_head_is_made_from_one_that_has_it() {
    let mut trained = tiny(Precision::F32).trainable(None, true, 0).unwrap();
    train(&mut *trained, 1, true);
    let mut snapshot = trained.snapshot();
    for method in [None, Some(lora(2))] {
        let mut plain = snapshot.trainable(method, false, 0).unwrap();
        assert!(!plain.parameter_names().contains(&"score.weight".to_string()));
        assert_eq!(says(&mut *plain, false).logprobs, says(&mut *snapshot, false).logprobs);
        train(&mut *plain, 2, false);
        assert!(plain.forward(&inputs(vec![sequence(1, 4)], true)).is_err());
    }
}

#[test]
fn training_all_weights_of_a_snapshot_with_an_adapter_merges_it() {
    let base = tiny(Precision::F32);
    let mut adapted = base.trainable(Some(lora(3)), true, 5).unwrap();
    train(&mut *adapted, 4, true);
    let mut snapshot = adapted.snapshot();
    let want = says(&mut *snapshot, true);
    assert!(want.logprobs != says(&mut *base.snapshot(), false).logprobs);
    let mut merged = snapshot.trainable(None, true, 0).unwrap();
    let got = says(&mut *merged, true);
    assert!(distance(&got.logprobs[0], &want.logprobs[0]) < 1e-4);
    assert!(distance(&got.values.unwrap()[0], &want.values.unwrap()[0]) < 1e-4);
    assert!(merged.parameter_names().iter().all(|name| !name.contains("lora")));
    let error = snapshot.trainable(Some(lora(3)), false, 0).err().unwrap().to_string();
    assert!(error.contains("merge the adapter"), "{error}");
}

#[test]
fn every_parameter_that_a_model_names_can_be_read() {
    let base = tiny(Precision::Bf16);
    let mut adapted = base.trainable(Some(lora(2)), true, 0).unwrap();
    train(&mut *adapted, 1, true);
    let full = base.trainable(None, true, 0).unwrap();
    for model in [adapted.snapshot(), adapted, full.snapshot(), full, base] {
        let names = model.parameter_names();
        let total: usize = names.iter().map(|name| model.parameter(name).unwrap().len()).sum();
        assert_eq!(total, model.parameter_counts().0);
    }
}

#[test]
fn a_snapshot_of_an_adapter_keeps_its_exact_values() {
    let mut adapted = tiny(Precision::Bf16).trainable(Some(lora(2)), false, 0).unwrap();
    train(&mut *adapted, 2, false);
    let snapshot = adapted.snapshot();
    let name = "model.layers.1.self_attn.v_proj.lora_B.weight";
    let before = adapted.parameter(name).unwrap();
    train(&mut *adapted, 1, false);
    assert_eq!(snapshot.parameter(name).unwrap(), before);
    assert_ne!(adapted.parameter(name).unwrap(), before);
}

#[test]
fn an_adapter_of_rank_one_is_decayed_as_any_other() {
    for rank in [1, 2] {
        let mut model = tiny(Precision::F32).trainable(Some(lora(rank)), true, 0).unwrap();
        let names = ["model.layers.0.self_attn.q_proj.lora_A.weight", "score.weight"];
        let before = names.map(|name| model.parameter(name).unwrap());
        // Nothing but decay moves a weight when its gradient is zero.
        model.forward_keep(&inputs(vec![sequence(1, 5)], false), false).unwrap();
        model.backward(&TokenOutputs { logprobs: vec![vec![0.0; 5]], ..Default::default() }).unwrap();
        let settings = AdamW { learning_rate: 0.5, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 1.0 };
        model.step(Optimizer::AdamW(settings), 1.0).unwrap();
        let halved: Vec<f32> = before[0].iter().map(|value| value * 0.5).collect();
        assert_eq!(model.parameter(names[0]).unwrap(), halved, "rank {rank}");
        assert_eq!(model.parameter(names[1]).unwrap(), before[1]);
    }
}

#[test]
fn a_module_that_is_named_twice_is_refused() {
    let targets = ["q_proj", "v_proj", "q_proj"].map(String::from).to_vec();
    let error = tiny(Precision::F32).trainable(Some(LoraConfig { targets, ..lora(2) }), false, 0).err().unwrap();
    assert!(error.to_string().contains("'q_proj' twice"), "{error}");
}
