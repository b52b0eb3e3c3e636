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
fn muon_orthogonalises_as_a_naive_iteration_does() {
    for (rows, columns) in [(8, 20), (20, 8), (16, 16), (33, 5), (7, 40), (33, 33), (70, 45), (45, 70)] {
        let mut random = crate::model::init::Random::new(5);
        let x: Vec<f32> = (0..rows * columns).map(|_| random.normal()).collect();
        let want = naive_orthogonal(&x, rows, columns);
        near(&muon::orthogonalise::<f32>(&Pool::new(2), x.clone(), rows, columns), &want, 1e-4);
        near(&muon::orthogonalise::<Bf16>(&Pool::new(2), x, rows, columns), &want, 0.06);
    }
}

/// The difference's length is within `bound` of the wanted one's.
fn near(got: &[f32], want: &[f64], bound: f64) {
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = length(&mut got.iter().zip(want).map(|(got, want)| f64::from(*got) - want));
    let share = difference / length(&mut want.iter().copied());
    assert!(share < bound, "off by {share}");
}

/// Newton and Schulz's iteration in f64: five times `x <- a x + b (x x^T) x + c (x x^T)^2 x`.
fn naive_orthogonal(x: &[f32], rows: usize, columns: usize) -> Vec<f64> {
    let norm = x.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let mut x: Vec<f64> = x.iter().map(|&value| f64::from(value) / norm).collect();
    for _ in 0..5 {
        let transposed: Vec<f64> = (0..rows * columns).map(|at| x[at % rows * columns + at / rows]).collect();
        let gram = product(&x, &transposed, rows, columns, rows);
        let once = product(&gram, &x, rows, rows, columns);
        let twice = product(&gram, &once, rows, rows, columns);
        for (x, (once, twice)) in x.iter_mut().zip(once.iter().zip(&twice)) {
            *x = 3.4445 * *x - 4.7750 * once + 2.0315 * twice;
        }
    }
    x
}

fn product(a: &[f64], b: &[f64], rows: usize, reduction: usize, columns: usize) -> Vec<f64> {
    let at = |row: usize, column: usize| (0..reduction).map(|k| a[row * reduction + k] * b[k * columns + column]).sum();
    (0..rows * columns).map(|index| at(index / columns, index % columns)).collect()
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
    fn stepped<E: GemmElement>(threads: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
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
            parameters.step::<E>(&Pool::new(threads), Optimizer::Muon(muon, adamw()), 1.0).unwrap();
            assert!(parameters.gradients[0].iter().all(|&gradient| gradient == 0.0));
        }
        (parameters.values, parameters.first)
    }
    assert_eq!(stepped::<f32>(1), stepped::<f32>(3));
    assert_eq!(stepped::<Bf16>(1), stepped::<Bf16>(3));
}
