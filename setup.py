"""What is shipped in ``data/`` travels inside the package as ``rlft_tui/data``."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    """Copies ``data/`` into the built package; a checkout reads the files where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "rlft_tui" / "data"
            for file in (
                *Path("data").glob("*.jsonl"),
                *Path("data").glob("examples/*/*.*"),
                *Path("data").glob("rewards/*.txt"),
                *Path("data").glob("rubrics/*.*"),
                *Path("data").glob("suites/*.*"),
            ):
                place = target / file.relative_to("data")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)


setup(cmdclass={"build_py": BuildWithData})
