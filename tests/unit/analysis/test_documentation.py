"""The examples of docs/analysis.md run, one after the other, as printed."""

import re


def test_examples_run(repository):
    text = (repository / "docs" / "analysis.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 6
    assert all("assert" in example for example in examples[1:])
    names = {}
    for n, example in enumerate(examples):
        exec(compile(example, f"docs/analysis.md, example {n + 1}", "exec"), names)
