"""What a measurement of speed ran on."""

import os
import pathlib
import platform
from importlib import metadata

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "opencv-python")
_CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni")


def describe():
    """JSON-able dict: cpu, features (of it), cores, python, and the versions of the packages."""
    cpu, features = _cpu()
    return {
        "cpu": cpu,
        "features": features,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "as TensorFlow chooses"),
        **_versions(),
    }


def line(machine):
    """The same in one line."""
    features = " ".join(machine["features"]) or "none of AVX2, AVX-512, VNNI"
    versions = ", ".join(f"{name} {machine[name]}" for name in _PACKAGES if name in machine)
    return (
        f"{machine['cores']} cores, {machine['cpu']} ({features}), Python {machine['python']}, "
        f"{versions}, oneDNN {machine['onednn']}"
    )


def _versions():
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu():
    """Name and features of the processor, where the system tells them."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor() or "unknown", []
    rows = dict(
        [part.strip() for part in row.split(":", 1)]
        for row in path.read_text().splitlines()
        if ":" in row
    )
    flags = rows.get("flags", "").split()
    return rows.get("model name", "unknown"), [name for name in _CPU_FEATURES if name in flags]
