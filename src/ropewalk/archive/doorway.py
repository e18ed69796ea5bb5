"""A listening socket in another network namespace: a build without a network still reaches the archive proxy, and nothing else.

A socket belongs to the namespace in which it was made, whoever accepts on it. So a thread of ours goes into the namespace,
makes the socket, and ends; connections then come to us without a route, a bridge or a forwarder (network_namespaces(7)).
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ropewalk.errors import HostError

_CLONE_NEWNET = 0x40000000
"""linux/sched.h; Python has `os.setns` and `os.unshare` from 3.12 on only."""
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
"""SIOCGIFFLAGS and SIOCSIFFLAGS (netdevice(7))."""
_UP = 0x1
_REQUEST = struct.Struct("16sH22x")
"""struct ifreq: a name, then flags."""


def listening(port: int, namespace: Path | None = None) -> socket.socket:
    """Listen on 127.0.0.1.

    Args:
        port: The port; 0 takes a free one.
        namespace: A network namespace (``/run/netns/X``, ``/proc/PID/ns/net``); its loopback device is brought up. None is
            our own.

    Returns:
        The socket; the caller closes it.

    Raises:
        HostError: The namespace is not there, or we may not enter it.
    """
    if namespace is None:
        return _listen(port)
    made: list[socket.socket] = []

    def enter() -> None:
        _enter(namespace)
        _bring_up("lo")
        made.append(_listen(port))

    _aside(enter, "cannot be entered", str(namespace), "run as root, with a namespace made by `ip netns add`")
    return made[0]


@contextmanager
def new_namespace() -> Iterator[Path]:
    """Make a network namespace with nothing in it but its loopback device.

    Yields:
        Its path, for whoever may see our process; it goes after the ``with`` with the last who is in it.

    Raises:
        HostError: This user may make none.
    """
    made: list[int] = []

    def leave() -> None:
        _call("unshare", _CLONE_NEWNET)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    _aside(leave, "cannot be made", "network namespace", "run as root; `ropewalk doctor` says more")
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{made[0]}")
    finally:
        os.close(made[0])


def _aside(work: Callable[[], None], message: str, where: str, hint: str) -> None:
    """Do something in a thread of its own, which changes its namespace for good and ends: no other work may run there."""
    failed: list[OSError] = []

    def guarded() -> None:
        try:
            work()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, name="doorway")
    thread.start()
    thread.join()
    if failed:
        raise HostError(f"{message}: {failed[0].strerror}", where=where, hint=hint)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", descriptor, _CLONE_NEWNET)
    finally:
        os.close(descriptor)


def _call(name: str, *arguments: int) -> None:
    """Call a function of libc that Python 3.11 does not have (`os.setns`, `os.unshare`)."""
    if ctypes.CDLL(None, use_errno=True)[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _bring_up(device: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked, _GET_FLAGS, _REQUEST.pack(device.encode(), 0))
        flags = _REQUEST.unpack(answer)[1] | _UP
        fcntl.ioctl(asked, _SET_FLAGS, _REQUEST.pack(device.encode(), flags))
