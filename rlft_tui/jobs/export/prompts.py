"""The fixed prompts of the proof: short tasks of many kinds, so that a fault in one kind shows."""

from __future__ import annotations

PROMPTS: tuple[str, ...] = (
    "What is the capital of Portugal?",
    "Write one sentence about the sea.",
    "Add 17 and 26. Answer with the number only.",
    "Explain in two sentences why leaves are green.",
    "Name three fruits that grow on trees.",
    "Translate to French: The train leaves at noon.",
    "Is 91 a prime number? Say why.",
    "Describe a nurse at work in one sentence.",
    "Write a Python function that reverses a string.",
    "Which is heavier, a kilogram of iron or a kilogram of wool?",
    "Finish the sentence: When the rain stopped, the children",
    "Give me a polite way to decline an invitation.",
    "List the days of the week, separated by commas.",
    'Put this into JSON with the keys "name" and "age": Mina is 34.',
    "Summarise in five words: A fox wanted grapes, could not reach them, and called them sour.",
    "Spell the word \u201enaïve\u201c backwards.",
    "How many minutes are there in three and a half hours?",
    "What should I do first when a pan of oil catches fire?",
    "Write a haiku about winter. ❄",
    "Say hello in Japanese, German and Swahili.",
)
