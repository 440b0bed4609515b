"""Which clips are meant: files and folders expanded, each once, with a name for each one's results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from hero.errors import InputError
from hero.media.folder import PICTURES, SETTINGS, SOUNDS
from hero.report.write import file_stem

VIDEO = frozenset({".mp4", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".avi", ".m4v"})
EXTENSIONS = VIDEO | SOUNDS
_LISTED = ", ".join(sorted(EXTENSIONS))


def distinct(paths: Iterable[Path]) -> list[Path]:
    """The paths in their order, each file once however it was spelled (a link keeps its own name)."""
    first: dict[Path, Path] = {}
    for path in paths:
        first.setdefault(path.parent.resolve() / path.name, path)
    return list(first.values())


def expand(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Files as they are, a folder of frames as one clip, any other folder as the clips in it, at any depth.

    Links to folders are not followed, and hidden files are not looked at, so that no clip comes twice or by accident.

    Raises:
        InputError: a path does not exist or cannot be looked into, or a folder holds no clips.
    """
    for path in paths:
        try:
            if not path.is_dir():
                path.stat()
                yield path
                continue
            inside = [path] if is_frame_folder(path) else list(_inside(path))
        except FileNotFoundError as error:
            raise InputError(f"'{path}' does not exist; give a clip ({_LISTED}) or a folder") from error
        except OSError as error:
            raise InputError(
                f"'{path}' cannot be looked at ({error.strerror}); give a clip ({_LISTED}) or a folder that may be read"
            ) from error
        if not inside:
            raise InputError(f"folder '{path}' holds no clips; allowed are {_LISTED}, or frames with a wav")
        yield from inside


def _inside(folder: Path) -> Iterator[Path]:
    """The clips of a folder and of the folders in it, sorted by path."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from [path] if is_frame_folder(path) else _inside(path)
        elif path.is_file() and path.suffix.lower() in EXTENSIONS:
            yield path


def is_frame_folder(folder: Path) -> bool:
    """A folder is one clip when it holds pictures and no videos (or says so in its frames.yaml).

    Several sounds beside fewer pictures are a folder of recordings with a cover.
    """
    if (folder / SETTINGS).is_file():
        return True
    suffixes = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    pictures, sounds = (sum(suffixes[s] for s in kind) for kind in (PICTURES, SOUNDS))
    return pictures > 0 and not suffixes.keys() & VIDEO and (sounds <= 1 or pictures > sounds)


def stems(clips: list[Path]) -> dict[Path, str]:
    """Names for the result files: the clip's stem, with its parents and suffix where two clips would share it."""
    shared = Counter(file_stem(path.stem).lower() for path in clips)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in clips:
        alone = shared[file_stem(path.stem).lower()] == 1
        name = file_stem(path.stem if alone else "-".join([*path.parts[-2:-1], path.name]))
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        names[path] = name
    return names
