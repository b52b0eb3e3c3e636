use super::*;

#[test]
fn gradients_that_the_model_has_no_output_for_are_refused_and_add_nothing() {
    let base = tiny(Precision::F32);
    for method in [None, Some(lora(2))] {
        let mut model = base.trainable(method, false, 0).unwrap();
        let names = model.parameter_names();
        for (values, length, said) in [(true, 20, "no value head"), (false, 19, "not as long")] {
            model.forward_keep(&inputs(vec![sequence(1, 20)], false), false).unwrap();
            let row = vec![vec![1.0; length]];
            let gradients = TokenOutputs { logprobs: row.clone(), entropy: None, values: values.then_some(row) };
            let error = model.backward(&gradients).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for name in names.iter().filter(|name| model.gradient(name).is_ok()) {
            assert!(model.gradient(name).unwrap().iter().all(|&value| value == 0.0), "{name}");
        }
    }
}

/// Examples that share all but their last token.
fn alike(count: usize) -> Vec<Vec<Sequence>> {
    let mut sequences = vec![sequence(1, 60); count];
    for (index, sequence) in sequences.iter_mut().enumerate() {
        sequence.input[59] = index as u32;
    }
    sequences.into_iter().map(|sequence| vec![sequence]).collect()
}

#[test]
fn a_micro_batch_is_sized_by_the_rows_that_its_pass_will_have() {
    let options = LoadOptions { precision: Precision::F32, threads: 1, kv_bytes: 1 << 20, activation_bytes: 1 << 20 };
    let model = tiny_with(options);
    let examples = alike(40);
    let (shared, _) = model.fitting(&examples, true, None).unwrap();
    let (apart, _) = model.fitting(&examples, false, None).unwrap();
    assert_eq!(shared, 40);
    assert!((1..20).contains(&apart), "{apart}");
    let (recomputed, asked) = model.fitting(&examples, false, Some(true)).unwrap();
    assert!(asked && recomputed > apart, "{recomputed} against {apart}");
}

#[test]
fn an_example_that_does_not_fit_is_recomputed_unless_that_is_refused() {
    let options = LoadOptions { precision: Precision::F32, threads: 1, kv_bytes: 1 << 20, activation_bytes: 1000 };
    let model = tiny_with(options);
    assert_eq!(model.fitting(&alike(3), true, None).unwrap(), (1, true));
    assert_eq!(model.fitting(&alike(3), true, Some(false)).unwrap(), (1, false));
    assert_eq!(model.fitting(&[], true, None).unwrap(), (0, false));
}

#[test]
fn an_empty_sequence_is_an_error_where_batches_are_sized() {
    let empty = Sequence { input: Vec::new(), target: Vec::new(), mask: Mask::Causal };
    let examples = [vec![sequence(1, 5)], vec![empty.clone(), empty]];
    let error = tiny(Precision::F32).fitting(&examples, true, None).unwrap_err().to_string();
    assert!(error.contains("has 0 input"), "{error}");
}

#[test]
fn an_adapter_that_adds_nothing_changes_no_bit_though_its_rows_go_by_whole_matrices() {
    for (family, head_dim) in [("qwen2", 32), ("llama", 64), ("qwen2", 128)] {
        for precision in [Precision::F32, Precision::Bf16] {
            let hidden = 2 * head_dim;
            let text = format!(
                r#"{{"model_type": "{family}", "vocab_size": 40, "hidden_size": {hidden}, "intermediate_size": 96,
                "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "bos_token_id": 0,
                "max_position_embeddings": 256, "eos_token_id": 1, "tie_word_embeddings": true, "initializer_range": 0.3}}"#
            );
            let options = LoadOptions { precision, threads: 2, kv_bytes: 1 << 20, activation_bytes: 1 << 24 };
            let base = new_model(ModelConfig::from_json(&text, "tiny").unwrap(), 1, &options).unwrap();
            // Biases are drawn as zeros.
            let mut trained = base.trainable(None, false, 0).unwrap();
            train(&mut *trained, 3, false);
            let mut tiled = trained.snapshot();
            let targets = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"].map(String::from).to_vec();
            let adapter = LoraConfig { rank: 2, alpha: 2.0, targets };
            let mut whole = tiled.trainable(Some(adapter), false, 0).unwrap();
            let bits = |model: &mut dyn AnyModel| -> Vec<u32> {
                says(model, false).logprobs.concat().iter().map(|logprob| logprob.to_bits()).collect()
            };
            assert_eq!(bits(&mut *whole), bits(&mut *tiled), "{family} {head_dim}");
        }
    }
}
