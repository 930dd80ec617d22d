"""Forks whose child is not ours but our parent's: a zygote's children are PID 1's.

The plain way is a process between that ends at once, at the price of a second fork. The kernel can do without
it (CLONE_PARENT), libc cannot; what libc itself does in a fork of one thread is little, and done here. Where
something is not as in the libc that this was written for, the plain way is taken.
"""

import _thread
import ctypes
import os
import signal
from dataclasses import dataclass

_CLONE_PARENT = 0x8000
_CLONE_CHILD_CLEARTID = 0x20_0000
_CLONE_CHILD_SETTID = 0x100_0000
_FLAGS = _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID | signal.SIGCHLD
_BEFORE_THE_LIST = 16
"""glibc keeps the thread's id this far before its list of robust mutexes, whose address the kernel knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    clone: int
    set_robust_list: int
    get_robust_list: int


_NUMBERS = {
    "x86_64": _Numbers(clone=56, set_robust_list=273, get_robust_list=274),
    "aarch64": _Numbers(clone=220, set_robust_list=99, get_robust_list=100),
}
# The interpreter's lock stays ours during the call: the child has no other thread to get it back from.
_SYSCALL = ctypes.PyDLL(None, use_errno=True).syscall
_SYSCALL.restype = ctypes.c_long


def fork_away() -> int:
    """Fork a child of our parent; 0 in itself.

    Raises:
        OSError: the kernel would not.
    """
    pid = _fork_sibling()
    return _fork_twice() if pid is None else pid


def _fork_sibling() -> int | None:
    """Fork by CLONE_PARENT; None where that cannot be done."""
    numbers = _NUMBERS.get(os.uname().machine)
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    if numbers is None or _call(numbers.get_robust_list, 0, ctypes.addressof(head), ctypes.addressof(size)):
        return None
    id_at = (head.value or 0) - _BEFORE_THE_LIST
    if id_at < 0 or ctypes.c_int.from_address(id_at).value != _thread.get_native_id():
        return None
    ctypes.pythonapi.PyOS_BeforeFork()
    # The place of the id is the fourth argument on one architecture, and the fifth on the other.
    pid = _call(numbers.clone, _FLAGS, 0, 0, id_at, id_at)
    if pid == 0:
        _call(numbers.set_robust_list, head.value or 0, size.value)
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid if pid > 0 else None


def _call(number: int, *args: int) -> int:
    result: int = _SYSCALL(*map(ctypes.c_long, (number, *args)))
    return result


def _fork_twice() -> int:
    """Fork a grandchild whose parent ends at once."""
    told, tell = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            pid = os.fork()
        except OSError:
            os._exit(1)
        if pid == 0:
            return 0
        os.write(tell, pid.to_bytes(4, "big"))
        os._exit(0)
    os.close(tell)
    pid = int.from_bytes(os.read(told, 4), "big")
    os.close(told)
    os.waitpid(middle, 0)
    if not pid:
        raise OSError("fork failed")
    return pid
