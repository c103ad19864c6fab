"""Ask the model in this folder. Needs onnxruntime, transformers (for its tokenizer) and numpy; no torch.

python generate.py "What is the capital of Portugal?"
echo "Write one sentence about the sea." | python generate.py --tokens 80 --temperature 0.7
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from transformers import AutoTokenizer

FOLDER = Path(__file__).resolve().parent


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

    tokenizer: Any = AutoTokenizer.from_pretrained(FOLDER)
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": asked.prompt or sys.stdin.read().strip()})
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)[
        "input_ids"
    ]
    answer = write(list(prompt), asked.tokens, asked.temperature, np.random.default_rng(asked.seed))
    sys.stdout.write(tokenizer.decode(answer, skip_special_tokens=True).strip() + "\n")


def write(prompt: list[int], tokens: int, temperature: float, random: np.random.Generator) -> list[int]:
    """The answer's token ids."""
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", providers=["CPUExecutionProvider"])
    # Keys and values of what was read so far: none at first. A graph without them reads all again.
    past = {
        each.name: np.zeros((1, each.shape[1], 0, each.shape[3]), np.float32)
        for each in session.get_inputs()
        if each.name.startswith("past_")
    }
    ends = set(json.loads((FOLDER / "end_tokens.json").read_text()))
    answer: list[int] = []
    new, before = prompt, 0
    while len(answer) < tokens:
        length = len(new)
        logits, *present = session.run(
            None,
            {
                "input_ids": np.array([new], np.int64),
                "attention_mask": np.ones((1, before + length), np.int64),
                "position_ids": np.arange(before, before + length, dtype=np.int64)[None],
                **past,
            },
        )
        token = draw(logits[0, -1], temperature, random)
        if token in ends:
            break
        answer.append(token)
        past = dict(zip(past, present, strict=True))
        if past:
            before, new = before + length, [token]
        else:
            new = [*new, token]
    return answer


def draw(logits: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """One token; the likeliest at temperature 0."""
    if temperature == 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()) / temperature, dtype=np.float64)
    return int(random.choice(len(weights), p=weights / weights.sum()))


if __name__ == "__main__":
    main()
