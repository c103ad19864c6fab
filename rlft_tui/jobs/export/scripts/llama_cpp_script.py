"""Ask the model in this folder. Needs llama-cpp-python, nothing else.

python generate.py "What is the capital of Portugal?"
echo "Write one sentence about the sea." | python generate.py --tokens 80 --temperature 0.7

llama.cpp's own programs and Ollama read the .gguf beside this file too.
"""

import argparse
import sys
from pathlib import Path

import llama_cpp


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("prompt", nargs="?", help="what is asked [default: standard input]")
    parser.add_argument("--system", default="", help="a system message before it")
    parser.add_argument("--tokens", type=int, default=128, help="tokens at most [default: 128]")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0 takes the likeliest token each time"
    )
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    (weights,) = Path(__file__).resolve().parent.glob("*.gguf")
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": asked.prompt or sys.stdin.read().strip()})
    leave_weights_as_stored_on_amx()
    llama = llama_cpp.Llama(str(weights), n_ctx=4096, verbose=False)
    # The chat template comes from the file; repeat_penalty 1 leaves the model's own probabilities alone.
    answer = llama.create_chat_completion(
        messages,
        max_tokens=asked.tokens,
        temperature=asked.temperature,
        seed=asked.seed,
        repeat_penalty=1.0,
    )
    sys.stdout.write(str(answer["choices"][0]["message"]["content"]).strip() + "\n")


def leave_weights_as_stored_on_amx() -> None:
    """Weights laid out for AMX end some builds of llama.cpp with a segmentation fault (its issue 20824)."""
    processor = Path("/proc/cpuinfo")
    if not processor.exists() or "amx_int8" not in processor.read_text(errors="replace"):
        return
    library = llama_cpp.llama_cpp
    defaults = library.llama_model_default_params

    def without_repacking() -> llama_cpp.llama_cpp.llama_model_params:
        values = defaults()
        values.use_extra_bufts = False
        return values

    library.llama_model_default_params = without_repacking


if __name__ == "__main__":
    main()
