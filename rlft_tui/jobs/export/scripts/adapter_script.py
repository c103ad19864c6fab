"""Ask the base with the adapter in this folder. Needs torch, transformers and peft, nothing else.

python generate.py --base FOLDER_OR_HUB_ID "What is the capital of Portugal?"
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER = Path(__file__).resolve().parent


def main() -> None:
    named = json.loads((FOLDER / "adapter_config.json").read_text())["base_model_name_or_path"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("prompt", nargs="?", help="what is asked [default: standard input]")
    parser.add_argument("--base", default=named, help=f"folder or hub id of the base [default: {named}]")
    parser.add_argument("--system", default="", help="a system message before it")
    parser.add_argument("--tokens", type=int, default=128, help="tokens at most [default: 128]")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0 takes the likeliest token each time"
    )
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    own = (FOLDER / "tokenizer_config.json").is_file()
    tokenizer: Any = AutoTokenizer.from_pretrained(FOLDER if own else asked.base)
    base = AutoModelForCausalLM.from_pretrained(asked.base, dtype="auto")
    model: Any = PeftModel.from_pretrained(base, str(FOLDER)).to(device).eval()
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": asked.prompt or sys.stdin.read().strip()})
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(device)
    torch.manual_seed(asked.seed)
    drawn = (
        {"do_sample": True, "temperature": asked.temperature} if asked.temperature else {"do_sample": False}
    )
    with torch.inference_mode():
        output = model.generate(
            **inputs, max_new_tokens=asked.tokens, pad_token_id=tokenizer.pad_token_id, **drawn
        )
    new = output[0, inputs["input_ids"].shape[1] :]
    sys.stdout.write(tokenizer.decode(new, skip_special_tokens=True).strip() + "\n")


if __name__ == "__main__":
    main()
