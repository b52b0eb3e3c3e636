//! llama.cpp's names of tensors, and its order of rows, to Hugging Face's.

use crate::config::ModelConfig;

/// Parts of names within a block.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The Hugging Face name; what has none keeps its own, a tensor of a block under `model.layers`.
pub(super) fn hugging_face_name(name: &str) -> String {
    match name {
        "token_embd.weight" => return "model.embed_tokens.weight".into(),
        "output_norm.weight" => return "model.norm.weight".into(),
        "output.weight" => return "lm_head.weight".into(),
        _ => {}
    }
    let Some((layer, rest)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        return name.into();
    };
    let (part, suffix) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let part = PARTS.iter().find(|(own, _)| *own == part).map_or(part, |(_, theirs)| *theirs);
    format!("model.layers.{layer}.{part}.{suffix}")
}

/// How many heads' rows of this parameter are reordered: llama.cpp does it for `llama` files, whose rotation turns
/// neighbours; those of the Qwen families turn halves, as Hugging Face's all do.
pub(super) fn rotated_heads(config: &ModelConfig, architecture: &str, name: &str) -> Option<usize> {
    match architecture {
        "llama" if name.ends_with("self_attn.q_proj.weight") => Some(config.num_heads),
        "llama" if name.ends_with("self_attn.k_proj.weight") => Some(config.num_kv_heads),
        _ => None,
    }
}

/// Rows 2i and 2i + 1 of each head, which turn together, go to i and i + head_dim / 2.
pub(super) fn unpermute(values: &[f32], heads: usize, head_dim: usize) -> Vec<f32> {
    let columns = values.len() / (heads * head_dim);
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for row in 0..head_dim {
            let (half, pair) = (row / (head_dim / 2), row % (head_dim / 2));
            let from = (head * head_dim + 2 * pair + half) * columns;
            out.extend_from_slice(&values[from..from + columns]);
        }
    }
    out
}
