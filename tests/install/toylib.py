"""A package that is not on any index: its wheels, the locks that name them, and a folder that holds all."""

import hashlib
import shutil
import zipfile
from pathlib import Path
from typing import Final

PLUGIN: Final = Path(__file__).parent / "plugins" / "toys.py"


def wheel(folder: Path, package: str, version: str) -> Path:
    """Make a wheel of a package that knows its version, the same bytes at any time; returns the file."""
    module = package.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f'VERSION = "{version}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # ZipInfo's own date, not the clock's
    return file


def write_lock(lock: Path, file: Path, *, digest: str = "") -> None:
    """Write a lock that names the package of a wheel and where that is; ``digest`` may lie."""
    module, version, *_ = file.name.split("-")
    digest = digest or hashlib.sha256(file.read_bytes()).hexdigest()
    pin = f"{module.replace('_', '-')}=={version} --hash=sha256:{digest}"
    lock.write_text(f"--no-index\n--find-links {file.parent.as_posix()}\n{pin}\n", encoding="utf-8")


def toys(folder: Path) -> Path:
    """Fill ``folder`` with the plug-in, its locks and the wheels; returns the plug-in."""
    wheels = folder / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in (("one", "1.0"), ("two", "2.0"), ("lost", "1.0")):
        write_lock(folder / f"{name}.txt", wheel(wheels, "hitl-toylib", version))
    return Path(shutil.copy(PLUGIN, folder / "toys.py"))
