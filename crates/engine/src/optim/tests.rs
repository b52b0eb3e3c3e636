use super::*;
use crate::element::Bf16;

fn one(values: Vec<f32>, gradient: Vec<f32>, rows: usize, columns: usize) -> Parameters {
    let part = ParameterPart { name: "w".into(), buffer: 0, offset: 0, rows, columns, decays: true, hidden: true };
    let mut parameters = Parameters::new(vec![part], vec![values]);
    parameters.begin_gradients();
    parameters.gradients[0] = gradient;
    parameters
}

fn adamw() -> AdamW {
    AdamW { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01 }
}

/// AdamW as its paper writes it, in f64.
fn reference(mut w: f64, gradients: &[f64]) -> f64 {
    let (mut m, mut v) = (0.0, 0.0);
    for (t, g) in gradients.iter().enumerate() {
        let t = t as i32 + 1;
        m = 0.9 * m + 0.1 * g;
        v = 0.99 * v + 0.01 * g * g;
        w *= 1.0 - 0.1 * 0.01;
        w -= 0.1 * (m / (1.0 - 0.9f64.powi(t))) / ((v / (1.0 - 0.99f64.powi(t))).sqrt() + 1e-8);
    }
    w
}

#[test]
fn adamw_follows_its_paper() {
    let pool = Pool::new(2);
    let mut parameters = one(vec![1.0, -2.0], vec![0.0; 2], 1, 2);
    let gradients = [[0.3, -1.0], [0.1, 2.0], [-0.7, 0.25]];
    for gradient in gradients {
        parameters.begin_gradients();
        parameters.gradients[0] = gradient.map(|g| g as f32).to_vec();
        parameters.step::<f32>(&pool, Optimizer::AdamW(adamw()), 0.0).unwrap();
    }
    for (i, start) in [1.0, -2.0].into_iter().enumerate() {
        let want = reference(start, &gradients.map(|gradient| gradient[i]));
        assert!((f64::from(parameters.values[0][i]) - want).abs() < 1e-6);
    }
    assert_eq!(parameters.gradients[0], [0.0, 0.0]);
}

#[test]
fn clips_by_the_global_norm_and_reports_it() {
    let pool = Pool::new(1);
    let mut clipped = one(vec![0.0; 2], vec![3.0, 4.0], 1, 2);
    let mut small = one(vec![0.0; 2], vec![0.6, 0.8], 1, 2);
    let norm = clipped.step::<f32>(&pool, Optimizer::AdamW(adamw()), 1.0).unwrap();
    small.step::<f32>(&pool, Optimizer::AdamW(adamw()), 1.0).unwrap();
    assert_eq!(norm, 5.0);
    assert!((clipped.first[0][0] - small.first[0][0]).abs() < 1e-7);
}

#[test]
fn a_bad_gradient_names_its_parameter_and_changes_nothing() {
    let pool = Pool::new(1);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut parameters = one(vec![1.0, 2.0], vec![0.5, bad], 1, 2);
        let error = parameters.step::<f32>(&pool, Optimizer::AdamW(adamw()), 1.0).unwrap_err().to_string();
        assert!(error.contains("gradient of w") && error.contains("column 1"), "{error}");
        assert_eq!(parameters.values[0], [1.0, 2.0]);
        assert_eq!(parameters.steps, 0);
    }
}

#[test]
fn muon_steps_along_a_nearly_orthogonal_matrix() {
    for (rows, columns) in [(8, 20), (20, 8), (16, 16), (33, 5), (7, 40)] {
        nearly_orthogonal::<f32>(rows, columns);
        nearly_orthogonal::<Bf16>(rows, columns);
    }
}

fn nearly_orthogonal<E: GemmElement>(rows: usize, columns: usize) {
    let mut random = crate::model::init::Random::new(5);
    let x: Vec<f32> = (0..rows * columns).map(|_| random.normal()).collect();
    let y = muon::orthogonalise::<E>(&Pool::new(2), x.clone(), rows, columns);
    let (small, large) = (rows.min(columns), rows.max(columns));
    let at = |i: usize, k: usize| if rows <= columns { y[i * columns + k] } else { y[k * columns + i] };
    for i in 0..small {
        let square: f32 = (0..large).map(|k| at(i, k) * at(i, k)).sum();
        assert!((0.3..1.6).contains(&square), "{rows}x{columns}: row {i} has length^2 {square}");
    }
    let along: f32 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    assert!(along > 0.0);
}

#[test]
fn a_step_without_a_new_gradient_is_an_error_and_changes_nothing() {
    let pool = Pool::new(1);
    let mut parameters = one(vec![1.0], vec![2.0], 1, 1);
    parameters.step::<f32>(&pool, Optimizer::AdamW(adamw()), 0.0).unwrap();
    let value = parameters.values[0][0];
    let error = parameters.step::<f32>(&pool, Optimizer::AdamW(adamw()), 0.0).unwrap_err().to_string();
    assert!(error.contains("there is no gradient since the last step"), "{error}");
    parameters.begin_gradients();
    parameters.clear_gradients();
    assert!(parameters.step::<f32>(&pool, Optimizer::AdamW(adamw()), 0.0).is_err());
    assert_eq!((parameters.values[0][0], parameters.steps), (value, 1));
}

#[test]
fn muon_gives_the_same_bits_whatever_the_thread_count() {
    let stepped = |threads| {
        let mut random = crate::model::init::Random::new(9);
        let shapes = [(8, 20), (20, 8), (16, 16), (33, 5)];
        let mut offset = 0;
        let mut parts = Vec::new();
        for (index, (rows, columns)) in shapes.into_iter().enumerate() {
            let name = format!("w{index}");
            parts.push(ParameterPart { name, buffer: 0, offset, rows, columns, decays: true, hidden: true });
            offset += rows * columns;
        }
        let mut parameters = Parameters::new(parts, vec![(0..offset).map(|_| random.normal()).collect()]);
        let muon = Muon { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01 };
        for _ in 0..3 {
            parameters.begin_gradients();
            parameters.gradients[0].iter_mut().for_each(|gradient| *gradient = random.normal());
            parameters.step::<f32>(&Pool::new(threads), Optimizer::Muon(muon, adamw()), 1.0).unwrap();
        }
        (parameters.values, parameters.first)
    };
    assert_eq!(stepped(1), stepped(3));
}
