"""Writes a tiny random model and serves it with llama.cpp's own OpenAI-protocol server.

Runs as a process of its own, because native code that crashes or holds the interpreter's lock must not
take the tests with it. Usage: llama_child.py FOLDER. Prints one JSON line when it serves; ends when its
standard input does.
"""

import json
import sys
from pathlib import Path

NAME = "tiny-random"
SLOTS = 4
CONTEXT_PER_SLOT = 4096
WIDTH, LAYERS, HEADS, HIDDEN = 64, 2, 4, 128
SPECIAL = ["<|im_start|>", "<|im_end|>"]
MERGED = "ab"
"""The loader wants at least one merge."""
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokens():
    """One token for each byte, in the alphabet of GPT-2: printable bytes stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {b: chr(256 + n) for n, b in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def write_model(path):
    """Write a two-layer model with random weights and a byte-level vocabulary."""
    import gguf
    import numpy as np

    random = np.random.default_rng(7)
    tokens = [*byte_tokens(), MERGED, *SPECIAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_context_length(SLOTS * CONTEXT_PER_SLOT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges([" ".join(MERGED)])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    def matrix(name, rows, columns):
        values = random.standard_normal((rows, columns)) / columns**0.5
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))

    def ones(name):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))

    matrix("token_embd", len(tokens), WIDTH)
    ones("output_norm")
    matrix("output", len(tokens), WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{name}", WIDTH, WIDTH)
        matrix(f"blk.{layer}.ffn_gate", HIDDEN, WIDTH)
        matrix(f"blk.{layer}.ffn_up", HIDDEN, WIDTH)
        matrix(f"blk.{layer}.ffn_down", WIDTH, HIDDEN)
        ones(f"blk.{layer}.attn_norm")
        ones(f"blk.{layer}.ffn_norm")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(path):
    """Start the server on a free port of loopback and return it; it runs in threads of its own."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = SLOTS * CONTEXT_PER_SLOT
    params.n_parallel = SLOTS
    params.n_gpu_layers = 0
    params.n_threads_http = 2 * SLOTS
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.fit_params = False
    params.ui = False
    params.cache_ram_mib = 0
    return xllamacpp.Server(params)


def main():
    """Serve until standard input ends."""
    path = Path(sys.argv[1]) / f"{NAME}.gguf"
    write_model(path)
    server = serve(path)
    print(
        json.dumps({"base_url": f"{server.listening_address}/v1", "model": NAME, "slots": SLOTS}), flush=True
    )
    sys.stdin.read()


if __name__ == "__main__":
    main()
