"""What is installed is the three packages with everything that they read, and nothing else."""

import subprocess
import sys
import zipfile

import pytest

from tests.house.tree import ROOMS, ROOT, committed_paths


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names inside the wheel that the build backend makes of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("wildgrass-*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_holds_the_three_packages_and_the_licence(wheel: set[str]) -> None:
    """Neither tests nor scripts go to a shop."""
    tops = {name.split("/")[0] for name in wheel}
    assert {name for name in tops if not name.endswith(".dist-info")} == set(ROOMS)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_the_wheel_holds_every_file_of_the_rooms(wheel: set[str]) -> None:
    """Templates, translations, styles and samples are found where the code looks for them."""
    missing = [
        str(path) for path in committed_paths(*ROOMS) if (ROOT / path).exists() and str(path) not in wheel
    ]
    assert not missing, "\n".join(missing)
