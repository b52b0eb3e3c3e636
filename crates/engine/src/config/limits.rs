//! The bounds of a configuration. They are far above every published model and low enough that no product of sizes
//! overflows and that a hostile file cannot ask for absurd memory.

use crate::config::{ModelConfig, RopeScaling};
use crate::error::{Error, Result};

/// Largest of any count in a configuration.
pub(crate) const MAX_COUNT: usize = 1 << 24;

/// Most layers.
pub(crate) const MAX_LAYERS: usize = 1 << 12;

/// Largest number of parameters: a trillion, 4 TB in f32.
const MAX_PARAMETERS: u128 = 1 << 40;

impl ModelConfig {
    /// Whether the engine can build this model; `file` begins the error, which names the field as `config.json` does.
    pub fn check(&self, file: &str) -> Result<()> {
        let fail = |problem: String| Err(Error::new(format!("{file}: {problem}")));
        let counts = [
            ("vocab_size", self.vocab_size, MAX_COUNT),
            ("hidden_size", self.hidden_size, 1 << 20),
            ("intermediate_size", self.intermediate_size, 1 << 22),
            ("num_hidden_layers", self.num_layers, MAX_LAYERS),
            ("num_attention_heads", self.num_heads, 1 << 14),
            ("num_key_value_heads", self.num_kv_heads, 1 << 14),
            ("head_dim", self.head_dim, 1 << 14),
            ("max_position_embeddings", self.max_position, MAX_COUNT),
        ];
        for (field, count, most) in counts {
            if count == 0 || count > most {
                return fail(format!("{field} is {count}; it must be 1 to {most}"));
            }
        }
        if !self.num_heads.is_multiple_of(self.num_kv_heads) {
            let (heads, groups) = (self.num_heads, self.num_kv_heads);
            return fail(format!("num_attention_heads ({heads}) must be a multiple of num_key_value_heads ({groups})"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return fail(format!("head_dim is {}; it must be even, for rotary positions turn pairs", self.head_dim));
        }
        let (total, most) = (self.parameter_count(), MAX_PARAMETERS);
        if total > most {
            return fail(format!("the sizes make {total} parameters, more than the {most} supported"));
        }
        self.check_numbers(file)?;
        self.check_windows(file)?;
        for id in self.bos_token_id.iter().chain(&self.eos_token_ids) {
            if *id as usize >= self.vocab_size {
                return fail(format!("bos_token_id or eos_token_id {id} is outside vocab_size {}", self.vocab_size));
            }
        }
        Ok(())
    }

    fn check_numbers(&self, file: &str) -> Result<()> {
        let mut ranges = vec![
            ("rms_norm_eps", f64::from(self.rms_norm_eps), 1e-20, 1.0),
            ("rope_theta", self.rope_theta, 1.0, 1e15),
            ("initializer_range", f64::from(self.initializer_range), 0.0, 10.0),
        ];
        match self.rope_scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => ranges.push(("rope_scaling.factor", factor, 1.0, 1e6)),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => {
                ranges.push(("rope_scaling.factor", factor, 1.0, 1e6));
                ranges.push(("rope_scaling.low_freq_factor", low_freq_factor, 1e-6, 1e6));
                ranges.push(("rope_scaling.high_freq_factor", high_freq_factor, 1e-6, 1e6));
                let original = original_max_position as f64;
                ranges.push(("rope_scaling.original_max_position_embeddings", original, 1.0, MAX_COUNT as f64));
                if low_freq_factor >= high_freq_factor {
                    let problem = "rope_scaling.low_freq_factor must be below rope_scaling.high_freq_factor";
                    return Err(Error::new(format!("{file}: {problem} ({low_freq_factor}, {high_freq_factor})")));
                }
            }
        }
        for (field, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(Error::new(format!("{file}: {field} is {value}; it must be {least} to {most}")));
            }
        }
        Ok(())
    }

    fn check_windows(&self, file: &str) -> Result<()> {
        if self.layer_windows.len() != self.num_layers {
            let (windows, layers) = (self.layer_windows.len(), self.num_layers);
            return Err(Error::new(format!("{file}: layer_types has {windows} entries for {layers} layers")));
        }
        match self.layer_windows.iter().flatten().find(|window| **window == 0 || **window > MAX_COUNT) {
            Some(window) => Err(Error::new(format!("{file}: sliding_window is {window}; it must be 1 to {MAX_COUNT}"))),
            None => Ok(()),
        }
    }

    /// Elements of all parameters, without listing them.
    pub fn parameter_count(&self) -> u128 {
        let (hidden, vocab, inner) =
            (self.hidden_size as u128, self.vocab_size as u128, self.intermediate_size as u128);
        let queries = self.num_heads as u128 * self.head_dim as u128;
        let keys = self.num_kv_heads as u128 * self.head_dim as u128;
        let biases = if self.qkv_bias { queries + 2 * keys } else { 0 };
        let norms = 2 * hidden + if self.qk_norm { 2 * self.head_dim as u128 } else { 0 };
        let layer = hidden * (2 * queries + 2 * keys + 3 * inner) + biases + norms;
        let embeddings = if self.tie_embeddings { vocab * hidden } else { 2 * vocab * hidden };
        embeddings + self.num_layers as u128 * layer + hidden
    }
}
