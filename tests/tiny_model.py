"""A random two-layer Llama with a byte tokenizer, made in well under a second: no download."""

from __future__ import annotations

from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tiny_model(
    folder: Path,
    seed: int = 0,
    *,
    width: int = 32,
    layers: int = 2,
    heads: int = 4,
    dtype: str = "float32",
) -> Path:
    """Save model and tokenizer into ``folder`` and return it; the same seed gives the same weights.

    ``width`` is the hidden size; blockwise quantisation wants a multiple of 64.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*specials, *letters])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=specials[0]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(specials)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(vocabulary),
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=heads // 2,
                max_position_embeddings=1024,
                tie_word_embeddings=True,
                bos_token_id=vocabulary["<|im_start|>"],
                eos_token_id=vocabulary["<|im_end|>"],
                pad_token_id=vocabulary["<|endoftext|>"],
            )
        )
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    return folder
