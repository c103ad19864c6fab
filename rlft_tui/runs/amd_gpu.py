"""AMD GPUs, as the files of their Linux driver tell of them."""

from __future__ import annotations

import contextlib
from pathlib import Path


def amd_gpus(drm: Path = Path("/sys/class/drm")) -> list[Path]:
    """What Linux tells of each AMD GPU: a folder of small files, written by its driver ``amdgpu``.

    No library is needed, and no ROCm: the files are there as soon as the driver is
    (docs.kernel.org/gpu/amdgpu/thermal.html and driver-misc.html).
    """
    found = (card / "device" for card in drm.glob("card[0-9]*") if card.name[4:].isdigit())
    return sorted(device for device in found if (device / "mem_info_vram_used").is_file())


def name_of(device: Path) -> str:
    """What the maker calls it, where the driver tells."""
    with contextlib.suppress(OSError, ValueError):
        if name := (device / "product_name").read_text().strip():
            return name
    return "AMD GPU"


def usage_of(number: int, device: Path) -> dict[str, float]:
    """What one AMD GPU uses; without what its driver does not tell."""
    name = f"GPU {number}"
    sources = {
        "use": (device / "gpu_busy_percent", 1.0),
        "memory": (device / "mem_info_vram_used", 2.0**30),
    }
    for monitor in (device / "hwmon").glob("hwmon*"):
        sources["temperature"] = (monitor / "temp1_input", 1e3)
        # Newer GPUs tell the power of this moment, older ones a mean.
        power = monitor / "power1_average"
        sources["power"] = (power if power.is_file() else monitor / "power1_input", 1e6)
    values = {}
    for what, (file, unit) in sources.items():
        with contextlib.suppress(OSError, ValueError):
            values[f"{name} {what}"] = float(file.read_text()) / unit
    return values
