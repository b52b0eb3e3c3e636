use super::*;
use crate::element::Bf16;

/// The product as the definition has it, in f64.
fn naive(a: &[f32], b: &[f32], rows: usize, columns: usize, reduction: usize) -> Vec<f64> {
    let mut c = vec![0.0; rows * columns];
    for i in 0..rows {
        for j in 0..columns {
            for k in 0..reduction {
                c[i * columns + j] += f64::from(a[i * reduction + k]) * f64::from(b[j * reduction + k]);
            }
        }
    }
    c
}

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn rounded<E: Element>(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&value| E::from_f32(value).to_f32()).collect()
}

fn padded<E: Element>(values: &[f32], rows: usize, reduction: usize) -> (Vec<E>, usize) {
    let stride = reduction.next_multiple_of(E::GROUP);
    let mut out = vec![E::default(); rows * stride];
    for row in 0..rows {
        for k in 0..reduction {
            out[row * stride + k] = E::from_f32(values[row * reduction + k]);
        }
    }
    (out, stride)
}

fn check<E: GemmElement>() {
    let pool = Pool::new(2);
    for (rows, columns, reduction) in
        [(1, 32, 2), (3, 257, 64), (14, 64, 33), (15, 31, 7), (97, 160, 1100), (200, 96, 2050)]
    {
        let a = rounded::<E>(&numbers(rows * reduction, 1));
        let b = rounded::<E>(&numbers(columns * reduction, 2));
        let (a_padded, stride) = padded::<E>(&a, rows, reduction);
        let mut panels = Panels::<E>::zeros(columns, reduction);
        pack_rows(&pool, &b, reduction, reduction, &mut panels);
        let mut c = vec![1.0f32; rows * columns];
        let rows_of_a = Rows { data: &a_padded, rows, stride };
        gemm(&pool, rows_of_a, panels.view(), Output { data: &mut c, stride: columns, offset: 0 }, true);
        for (got, want) in c.iter().zip(naive(&a, &b, rows, columns, reduction)) {
            let bound = 1e-6 * reduction as f64;
            assert!(
                (f64::from(*got) - want - 1.0).abs() < bound,
                "{rows}x{columns}x{reduction}: {got} for {}",
                want + 1.0
            );
        }
        let mut columns_of_a = Panels::<E>::zeros(rows, reduction);
        pack_rows(&pool, &a, reduction, reduction, &mut columns_of_a);
        let mut packed = vec![1.0f32; rows * columns];
        let output = Output { data: &mut packed, stride: columns, offset: 0 };
        gemm_packed(&pool, columns_of_a.view(), panels.view(), output, true);
        assert!(c.iter().zip(&packed).all(|(x, y)| x.to_bits() == y.to_bits()), "packed {rows}x{columns}x{reduction}");
        let mut transposed = Panels::<E>::zeros(reduction, columns);
        repack_transposed(&pool, panels.view(), &mut transposed);
        let mut expected = Panels::<E>::zeros(reduction, columns);
        let b_elements: Vec<E> = b.iter().map(|&value| E::from_f32(value)).collect();
        pack_columns(&pool, &b_elements, reduction, columns, &mut expected);
        assert_eq!(transposed, expected, "{columns}x{reduction}");
    }
}

#[test]
fn agrees_with_the_definition_in_f32() {
    check::<f32>();
}

#[test]
fn agrees_with_the_definition_in_bf16() {
    check::<Bf16>();
}

fn rows_do_not_depend_on_their_batch<E: GemmElement>() {
    let (rows, columns, reduction) = (61, 96, 1300);
    let a: Vec<E> = numbers(rows * reduction, 3).into_iter().map(E::from_f32).collect();
    let b: Vec<f32> = numbers(columns * reduction, 4);
    let mut reference: Option<Vec<f32>> = None;
    for threads in [1, 2, 3] {
        let pool = Pool::new(threads);
        let mut panels = Panels::<E>::zeros(columns, reduction);
        pack_rows(&pool, &b, reduction, reduction, &mut panels);
        for batch in [1, 2, 5, 13, 14, 15, 16, 17, 31, 32, 33, 61] {
            let mut c = vec![0.0; rows * columns];
            for start in (0..rows).step_by(batch) {
                let count = batch.min(rows - start);
                let part = Rows { data: &a[start * reduction..], rows: count, stride: reduction };
                let output = Output { data: &mut c[start * columns..], stride: columns, offset: 0 };
                gemm(&pool, part, panels.view(), output, false);
            }
            let bits: Vec<f32> = c;
            match &reference {
                None => reference = Some(bits),
                Some(first) => assert!(
                    first.iter().zip(&bits).all(|(x, y)| x.to_bits() == y.to_bits()),
                    "batch {batch}, {threads} threads"
                ),
            }
        }
    }
}

#[test]
fn gives_a_row_the_same_bits_in_any_batch_and_thread_count() {
    rows_do_not_depend_on_their_batch::<f32>();
    rows_do_not_depend_on_their_batch::<Bf16>();
}

/// An element of C as AMX defines it: blocks of 32, even and odd places summed apart, each step fused, the blocks in order.
fn by_blocks(a: &[f32], b: &[f32]) -> f32 {
    let mut total = 0.0f32;
    for (a, b) in a.chunks(32).zip(b.chunks(32)) {
        let mut sums = [0.0f32; 2];
        for (place, (a, b)) in a.iter().zip(b).enumerate() {
            sums[place % 2] = a.mul_add(*b, sums[place % 2]);
        }
        total += sums[0] + sums[1];
    }
    total
}

#[test]
fn sums_by_blocks_of_32_on_amx() {
    if crate::isa::isa() != crate::isa::Isa::Amx {
        return;
    }
    for (rows, columns, reduction) in
        [(1, 32, 32), (2, 32, 96), (3, 64, 70), (4, 32, 576), (16, 40, 64), (17, 64, 7), (32, 33, 2080), (45, 96, 1130)]
    {
        let a = rounded::<Bf16>(&numbers(rows * reduction, 5));
        let b = rounded::<Bf16>(&numbers(columns * reduction, 6));
        let (a_padded, stride) = padded::<Bf16>(&a, rows, reduction);
        let pool = Pool::new(2);
        let mut panels = Panels::<Bf16>::zeros(columns, reduction);
        pack_rows(&pool, &b, reduction, reduction, &mut panels);
        let mut c = vec![0.0f32; rows * columns];
        let output = Output { data: &mut c, stride: columns, offset: 0 };
        gemm(&pool, Rows { data: &a_padded, rows, stride }, panels.view(), output, false);
        for (row, a) in a.chunks(reduction).enumerate() {
            for (column, b) in b.chunks(reduction).enumerate() {
                let (got, want) = (c[row * columns + column], by_blocks(a, b));
                assert_eq!(got.to_bits(), want.to_bits(), "{rows}x{columns}x{reduction}: {got} for {want}");
            }
        }
    }
}

#[test]
fn gives_a_row_the_same_bits_alone_and_among_others_down_to_denormal_numbers() {
    let (rows, columns, reduction) = (21, 32, 90);
    for exponent in [-20, -60, -63, -66, -70] {
        let scaled = |seed| -> Vec<f32> {
            // Every third number is far smaller, down to denormal ones of its own.
            let small = |index: usize| if index.is_multiple_of(3) { exponent - 60 } else { exponent };
            let all = numbers(rows * reduction.max(columns) * 2, seed);
            all.iter().enumerate().map(|(index, value)| value * 2.0f32.powi(small(index))).collect()
        };
        let (a, b) = (scaled(7), scaled(8));
        let a: Vec<Bf16> = a[..rows * reduction].iter().copied().map(Bf16::from_f32).collect();
        let pool = Pool::new(1);
        let mut panels = Panels::<Bf16>::zeros(columns, reduction);
        pack_rows(&pool, &b[..columns * reduction], reduction, reduction, &mut panels);
        let product = |batch: usize| {
            let mut c = vec![0.0f32; rows * columns];
            for start in (0..rows).step_by(batch) {
                let part = Rows { data: &a[start * reduction..], rows: batch.min(rows - start), stride: reduction };
                let output = Output { data: &mut c[start * columns..], stride: columns, offset: 0 };
                gemm(&pool, part, panels.view(), output, false);
            }
            c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let all = product(rows);
        for batch in [1, 2, 3, 5] {
            assert!(product(batch) == all, "2^{exponent}, {batch} rows at a time");
        }
    }
}

fn onto_as_if_copied<E: GemmElement>() {
    let pool = Pool::new(2);
    for (rows, columns, reduction) in [(1, 32, 2), (31, 257, 64), (70, 31, 1100), (600, 96, 2050)] {
        let (a, stride) = padded::<E>(&numbers(rows * reduction, 1), rows, reduction);
        let mut panels = Panels::<E>::zeros(columns, reduction);
        pack_rows(&pool, &numbers(columns * reduction, 2), reduction, reduction, &mut panels);
        let (a, d) = (Rows { data: &a, rows, stride }, numbers(rows * columns, 3));
        let (mut copied, mut onto) = (d.clone(), vec![f32::NAN; d.len()]);
        gemm(&pool, a, panels.view(), Output { data: &mut copied, stride: columns, offset: 0 }, true);
        gemm_onto(&pool, a, panels.view(), &d, Output { data: &mut onto, stride: columns, offset: 0 });
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&onto), bits(&copied), "{rows}x{columns}x{reduction}");
    }
}

#[test]
fn a_product_onto_a_matrix_has_the_bits_of_one_added_to_its_copy() {
    onto_as_if_copied::<f32>();
    onto_as_if_copied::<Bf16>();
}
