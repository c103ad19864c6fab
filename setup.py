"""The shipped prompts and pairs live in ``data/`` and travel inside the package as ``rlft_tui/data``."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copies ``data/*.jsonl`` into the built package; a checkout reads them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "rlft_tui" / "data"
            target.mkdir(parents=True, exist_ok=True)
            for file in Path("data").glob("*.jsonl"):
                shutil.copy(file, target)


setup(cmdclass={"build_py": BuildWithData})
