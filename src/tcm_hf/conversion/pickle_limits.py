"""What a pickle would cost its reader, told from its opcodes: nothing in it is built.

Some bytes of a pickle can ask for gigabytes, or end the process: a place in the memo is a number of the file,
and CPython makes room for all places before it; the hash of a tuple that is nested deeply enough overflows
the stack of C. Both are told by what the opcodes say, see `pickletools`.
"""

import os
import pickle
import pickletools
from typing import IO

MAX_NESTING = 1000
"""Tuples in tuples; those of checkpoints are about five deep."""

_LEGACY_PICKLES = 5
# What older files of torch.save begin with: a number, two versions, the content, the names of its storages.
_PROTOCOL = b"\x80"  # which a pickle begins with
_MARK = pickletools.markobject
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")


def check_pickles(stream: IO[bytes]) -> None:
    """See that the pickles at the beginning of a file can be read; see `check_pickle`.

    Args:
        stream: at the beginning of the file.

    Raises:
        pickle.UnpicklingError: if one of them cannot.
    """
    for _ in range(_LEGACY_PICKLES):
        check_pickle(stream)
        if stream.read(1) != _PROTOCOL:
            return
        stream.seek(-1, os.SEEK_CUR)


def check_pickle(stream: IO[bytes]) -> None:
    """See that a pickle can be read without more memory than it has bytes, and without deep recursion.

    Args:
        stream: at the beginning of the pickle; it is left behind its end.

    Raises:
        pickle.UnpicklingError: if it cannot, is cut off, or is no pickle.
    """
    reader = _Depths()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream), start=1):
            if opcode.name.endswith("PUT") and int(argument or 0) > count:
                raise pickle.UnpicklingError("it numbers its values far beyond their count")
            reader.take(opcode, argument)
    except (ValueError, IndexError, OverflowError, MemoryError) as error:  # of damaged pickles
        raise pickle.UnpicklingError(f"its pickle is damaged: {error or type(error).__name__}") from error


class _Depths:
    """The reader's stack, of which only is known how deeply tuples are nested in each value."""

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}

    def take(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """Does to the stack what the reader would do.

        Raises:
            pickle.UnpicklingError: for deeply nested tuples.
            IndexError: if the stack does not hold what the opcode takes.
        """
        name = opcode.name
        if name.endswith("PUT") or name == "MEMOIZE":
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self._stack[-1]  # type: ignore[index]
        elif name.endswith("GET"):
            self._stack.append(self._memo.get(argument, 0))  # type: ignore[call-overload]
        elif name == "MARK":
            self._marks.append(len(self._stack))
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        else:
            taken = self._taken(opcode)
            depth = 1 + max(taken, default=0) if name in _TUPLES else 0
            if depth > MAX_NESTING:
                raise pickle.UnpicklingError(f"it nests tuples more than {MAX_NESTING} deep")
            self._stack += [depth] * len(opcode.stack_after)

    def _taken(self, opcode: pickletools.OpcodeInfo) -> list[int]:
        """Takes from the stack what the opcode wants: all from the last mark on, and so many below it."""
        wanted = opcode.stack_before
        start = len(self._stack)
        pops_mark = opcode.name == "POP" and self._marks and self._marks[-1] == start
        if pops_mark or _MARK in wanted:
            start = self._marks.pop()
            wanted = [] if pops_mark else wanted[: wanted.index(_MARK)]
        if (start := start - len(wanted)) < 0:
            raise IndexError("its stack is empty")
        taken = self._stack[start:]
        del self._stack[start:]
        return taken


__all__ = ["MAX_NESTING", "check_pickle", "check_pickles"]
