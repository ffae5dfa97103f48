"""The tokenizer of COCO's caption evaluation: Stanford's PTB tokenizer, in Java."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ig4.core.counts import counted
from ig4.core.errors import MissingExtraError, PrerequisiteError

_JAR = "stanford-corenlp-3.4.1.jar"
_CLASS = "edu.stanford.nlp.process.PTBTokenizer"


def find_tokenizer() -> tuple[str, Path]:
    """Return the paths of the Java program and of the tokenizer's archive in pycocoevalcap.

    Raises:
        MissingExtraError: pycocoevalcap is not installed.
        PrerequisiteError: there is no Java runtime.
    """
    found = find_spec("pycocoevalcap")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    jars = [jar for folder in folders if (jar := Path(folder, "tokenizer", _JAR)).is_file()]
    if not jars:
        raise MissingExtraError(
            'COCO\'s tokenizer comes with pycocoevalcap (104 MB): pip install "ig4[ptb]", or take '
            "words=whitespace"
        )
    java = shutil.which("java")
    if java is None:
        raise PrerequisiteError(
            "COCO's tokenizer runs in Java, and there is no `java` here: install a Java runtime "
            "(apt-get install default-jre-headless), or use words=whitespace"
        )
    return java, jars[0]


def tokenise(captions: Sequence[str]) -> list[str]:
    """Return each caption in lower case, words separated by spaces, without punctuation.

    Raises:
        MissingExtraError, PrerequisiteError: as `find_tokenizer`.
        PrerequisiteError: Java fails.
    """
    java, jar = find_tokenizer()
    from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

    lines = [" ".join(caption.split()) for caption in captions]
    words = [line for line in lines if line]  # the tokenizer may swallow empty lines
    if not words:
        return lines
    command = [java, "-cp", str(jar), _CLASS, "-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    result = subprocess.run(  # noqa: S603 - captions go in as text, not as arguments
        command, input="\n".join(words) + "\n", capture_output=True, encoding="utf-8",
        errors="replace", check=False,
    )  # fmt: skip
    tokenised = result.stdout.splitlines()
    if result.returncode or len(tokenised) != len(words):
        message = (result.stderr.strip() or "no message").splitlines()[-1]
        raise PrerequisiteError(
            f"Java's tokenizer returned {counted(len(tokenised), 'line')} "
            f"for {counted(len(words), 'caption')}: {message}"
        )
    marks = set(PUNCTUATIONS)
    kept = iter(" ".join(w for w in line.split(" ") if w and w not in marks) for line in tokenised)
    return [next(kept) if line else "" for line in lines]
