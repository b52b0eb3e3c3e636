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
