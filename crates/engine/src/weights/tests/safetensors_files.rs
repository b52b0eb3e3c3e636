use serde_json::json;

use super::Folder;
use crate::weights::mapped::MappedFile;
use crate::weights::{SafetensorsData, SafetensorsEntry, SafetensorsFile, write_safetensors};

fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn open(bytes: Vec<u8>) -> crate::error::Result<SafetensorsFile> {
    SafetensorsFile::from_file(MappedFile::from_bytes(bytes, "model.safetensors"))
}

fn refusal(header: &str, data: &[u8]) -> String {
    open(file_of(header, data)).unwrap_err().to_string()
}

#[test]
fn f32_f16_and_bf16_tensors_read_as_f32() {
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
        "b":{"dtype":"F16","shape":[1,3],"data_offsets":[8,14]},"c":{"dtype":"BF16","shape":[],"data_offsets":[14,16]}}"#;
    let data =
        [&1.5f32.to_le_bytes()[..], &(-0.0f32).to_le_bytes(), &[0x00, 0x3c, 0x01, 0x00, 0x00, 0xfc], &[0xc0, 0x3f]];
    let file = open(file_of(header, &data.concat())).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(file.metadata(), [("format".to_string(), "pt".to_string())]);
    let a = file.read_f32("a").unwrap();
    assert_eq!((a[0], a[1].to_bits()), (1.5, 0x8000_0000));
    assert_eq!(file.read_f32("b").unwrap(), [1.0, 2f32.powi(-24), f32::NEG_INFINITY]);
    assert_eq!((file.shape("c").unwrap().len(), file.read_f32("c").unwrap()), (0, vec![1.5]));
    assert!(file.read_f32("d").unwrap_err().to_string().contains("model.safetensors: has no tensor 'd'"));
    assert!(file.read_i64("a").unwrap_err().to_string().contains("tensor 'a' is F32; it must be I64"));
}

#[test]
fn a_written_file_reads_back_bit_for_bit() {
    let folder = Folder::new();
    let path = folder.0.join("state.safetensors");
    let floats = [f32::NAN, -0.0, f32::MIN_POSITIVE / 2.0, 3.25];
    let entry = |name, shape, data| SafetensorsEntry { name, shape, data };
    let entries = [
        entry("moments", &[2, 2], SafetensorsData::F32(&floats)),
        entry("step", &[1], SafetensorsData::I64(&[i64::MIN])),
        entry("sign", &[3], SafetensorsData::U8(&[0, 255, 7])),
        entry("none", &[0], SafetensorsData::F32(&[])),
    ];
    write_safetensors(&path, &entries, &[("kind", "optimiser \"state\"")]).unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&file.read_f32("moments").unwrap()), bits(&floats));
    assert_eq!((file.read_i64("step").unwrap(), file.read_u8("sign").unwrap()), (vec![i64::MIN], vec![0, 255, 7]));
    assert_eq!(file.metadata()[0].1, "optimiser \"state\"");
    assert_eq!(folder.names(), ["state.safetensors"]);
}

#[test]
fn a_write_that_cannot_be_right_leaves_the_old_file() {
    let folder = Folder::new();
    let path = folder.write("state.safetensors", b"old");
    let wrong = [SafetensorsEntry { name: "a", shape: &[3], data: SafetensorsData::F32(&[1.0]) }];
    assert!(write_safetensors(&path, &wrong, &[]).unwrap_err().to_string().contains("'a' of shape [3] has 1"));
    let twice = SafetensorsEntry { name: "a", shape: &[1], data: SafetensorsData::F32(&[1.0]) };
    assert!(write_safetensors(&path, &[twice.clone(), twice], &[]).unwrap_err().to_string().contains("given twice"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(folder.names(), ["state.safetensors"]);
}

#[test]
fn hostile_headers_are_refused_by_file_and_tensor() {
    let tensor = |dtype: &str, shape: serde_json::Value, offsets: serde_json::Value| {
        json!({"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).to_string()
    };
    let cases = [
        (tensor("F32", json!([2]), json!([0, 4])), "shape [2] of F32 does not take the 4 bytes"),
        (tensor("F32", json!([2]), json!([0, 16])), "data_offsets [0, 16] are not within the 8 bytes"),
        (tensor("F32", json!([2]), json!([8, 0])), "data_offsets [8, 0]"),
        (tensor("F32", json!([u64::MAX, 2]), json!([0, 8])), "does not take the 8 bytes"),
        (tensor("F32", json!([-1]), json!([0, 8])), "'w': invalid value"),
        (tensor("Q4", json!([2]), json!([0, 8])), "dtype 'Q4' is not supported"),
        (tensor("F32", json!([1]), json!([4, 8])), "leave a hole"),
        (tensor("F32", json!([1]), json!([0, 4])), "4 bytes after the last tensor"),
        (tensor("F32", json!([1, 1, 1, 1, 1, 1, 1, 1, 2]), json!([0, 8])), "9 dimensions"),
        (r#"{"w": {"dtype": "F32", "shape": [2]}}"#.into(), "'w': missing field `data_offsets`"),
        (r#"{"w": 3}"#.into(), "'w': invalid type"),
        (r#"{"__metadata__": {"a": 1}}"#.into(), "'__metadata__': 'a': invalid type"),
        (
            format!("{{\"a\": {0}, \"a\": {0}}}", r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#),
            "'a' occurs twice",
        ),
        (
            format!("{{\"a\": {0}, \"b\": {0}}}", r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#),
            "overlap those of another tensor",
        ),
        ("[".repeat(100_000), "header: "),
    ];
    for (header, problem) in cases {
        let message = refusal(&header, &[0; 8]);
        assert!(message.starts_with("model.safetensors: ") && message.contains(problem), "{message}");
    }
}

#[test]
fn truncated_files_and_lying_lengths_are_refused() {
    let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let whole = file_of(header, &[0; 8]);
    assert!(open(whole.clone()).is_ok());
    for length in 0..whole.len() {
        assert!(open(whole[..length].to_vec()).is_err(), "{length} bytes");
    }
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(open(lying).unwrap_err().to_string().contains("header length is 18446744073709551615"));
    let mut not_text = whole;
    not_text[10] = 0xff;
    assert!(open(not_text).unwrap_err().to_string().contains("header is not UTF-8"));
    let folder = Folder::new();
    let empty = folder.write("empty.safetensors", b"");
    assert!(SafetensorsFile::open(&empty).unwrap_err().to_string().contains("empty.safetensors: is empty"));
    assert!(SafetensorsFile::open(&folder.0).unwrap_err().to_string().contains("is not a file"));
    assert!(SafetensorsFile::open(&folder.0.join("none")).unwrap_err().to_string().contains("none: is missing"));
}
