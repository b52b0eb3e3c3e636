use std::sync::Arc;

use super::*;
use crate::buffers::Buffers;
use crate::config::ModelConfig;
use crate::model::forward::Sizes;
use crate::model::init::Random;
use crate::model::layout::Layout;
use crate::model::weights::Weights;
use crate::pool::Pool;

fn tiny_weights(pool: &Pool) -> Weights<f32> {
    let text = r#"{"model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 2048, "tie_word_embeddings": true}"#;
    let layout = Arc::new(Layout::new(ModelConfig::from_json(text, "tiny").unwrap(), false));
    let shapes = layout.shapes.clone();
    let mut random = Random::new(1);
    Weights::build(pool, layout, |place| {
        Ok((0..place.rows.len() * shapes[place.tensor].columns).map(|_| random.normal() * 0.2).collect())
    })
    .unwrap()
}

fn request(id: u64, prompt: &[u32]) -> SampleRequest<f32> {
    SampleRequest {
        id,
        prompt: prompt.to_vec(),
        count: 1,
        first_sample: 0,
        max_tokens: 1,
        choice: Choice {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            bias: Vec::new(),
            top_logprobs: 0,
        },
        stop_tokens: Vec::new(),
        adapter: None,
        adapter_version: 0,
        tape: None,
        on_event: Box::new(|_| {}),
    }
}

/// Rows computed until every request has drawn its one token.
fn rows_of(prompts: &[Vec<u32>]) -> usize {
    let pool = Pool::new(1);
    let weights = tiny_weights(&pool);
    let mut memory = KeyValueMemory::new(Sizes::of(&weights).heads, 1, 1 << 24);
    let mut scheduler = Scheduler::new(weights, 1);
    for (id, prompt) in prompts.iter().enumerate() {
        scheduler.submit(request(id as u64, prompt), id as u64, &memory).unwrap();
    }
    let mut buffers = Buffers::default();
    let mut rows = 0;
    while !scheduler.is_idle() {
        scheduler.start_samples(&mut memory);
        while scheduler.admit(&mut memory) {}
        let work = scheduler.build(&mut memory);
        rows += work.batch.tokens.len();
        if !work.batch.tokens.is_empty() {
            scheduler.compute(&mut memory, &pool, &work, &mut buffers);
        }
        scheduler.retire(&mut memory);
    }
    rows
}

#[test]
fn requests_that_come_together_read_what_their_prompts_share_once() {
    let prompt: Vec<u32> = (0..1000).map(|at| at * at % 37).collect();
    let alone = rows_of(std::slice::from_ref(&prompt));
    assert_eq!(alone, 1000);
    // 1000 tokens are 31 whole pages of 32 tokens, and 8 tokens that each request reads for itself.
    assert_eq!(rows_of(&vec![prompt.clone(); 6]), 1000 + 5 * 8);
    let mut branch = prompt.clone();
    branch[700] = 39;
    assert_eq!(rows_of(&[prompt.clone(), branch]), 1000 + 1000 - 700 / 32 * 32);
    assert_eq!(rows_of(&[prompt[1..].to_vec(), prompt]), 1999);
}
