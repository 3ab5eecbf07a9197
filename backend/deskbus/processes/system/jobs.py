"""Resource groups by Job objects, on Windows: an app's tree ends with its job, and the job with the
backend.

https://learn.microsoft.com/windows/win32/procthread/job-objects; limits of memory and of the number
of processes are the job's own, CPU is left to samples.
"""

import ctypes
import sys
from ctypes import wintypes

import structlog
from msgspec import UnsetType

from deskbus_protocol.manifest import Limits

assert sys.platform == "win32"

_EXTENDED_LIMITS = 9
_ACTIVE_PROCESS = 0x8
_JOB_MEMORY = 0x200
_DIE_ON_UNHANDLED_EXCEPTION = 0x400
_KILL_ON_JOB_CLOSE = 0x2000
_PROCESS_SET_QUOTA_AND_TERMINATE = 0x0101
HEADROOM = 1.25

log = structlog.get_logger()


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("per_process_user_time", wintypes.LARGE_INTEGER),
        ("per_job_user_time", wintypes.LARGE_INTEGER),
        ("flags", wintypes.DWORD),
        ("minimum_working_set", ctypes.c_size_t),
        ("maximum_working_set", ctypes.c_size_t),
        ("active_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority_class", wintypes.DWORD),
        ("scheduling_class", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("basic", _BasicLimits),
        ("io", ctypes.c_ulonglong * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class Jobs:
    kind = "Job objects"

    def make(self, app: str, limits: Limits) -> "Job":
        job = Job()
        job.limit(limits)
        return job


class Job:
    entrance = ""

    def __init__(self) -> None:
        self._kernel = _kernel()
        self._handle = self._kernel.CreateJobObjectW(None, None)
        if not self._handle:
            log.warning("job.not_made")

    def put_in(self, pid: int) -> None:
        process = self._kernel.OpenProcess(_PROCESS_SET_QUOTA_AND_TERMINATE, False, pid)
        if not process or not self._kernel.AssignProcessToJobObject(self._handle, process):
            log.warning("job.not_entered", pid=pid)
        if process:
            self._kernel.CloseHandle(process)

    def limit(self, limits: Limits) -> None:
        wanted = _ExtendedLimits()
        wanted.basic.flags = _KILL_ON_JOB_CLOSE | _DIE_ON_UNHANDLED_EXCEPTION
        if not isinstance(limits.memory_mb, UnsetType):
            wanted.basic.flags |= _JOB_MEMORY
            wanted.job_memory = int(limits.memory_mb * 1024 * 1024 * HEADROOM)
        if not isinstance(limits.processes, UnsetType):
            wanted.basic.flags |= _ACTIVE_PROCESS
            wanted.basic.active_processes = int(limits.processes * 2 * HEADROOM)
        done = self._kernel.SetInformationJobObject(
            self._handle, _EXTENDED_LIMITS, ctypes.byref(wanted), ctypes.sizeof(wanted)
        )
        if not done:
            log.warning("job.not_limited")

    def out_of_memory(self) -> bool:
        return False

    def kill(self) -> None:
        self._kernel.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        if self._handle:
            self._kernel.CloseHandle(self._handle)
            self._handle = None


def _kernel() -> ctypes.WinDLL:
    """kernel32, with handles as wide as pointers."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle, word, pointer = wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p
    for name, result, takes in (
        ("CreateJobObjectW", handle, (pointer, wintypes.LPCWSTR)),
        ("OpenProcess", handle, (word, wintypes.BOOL, word)),
        ("AssignProcessToJobObject", wintypes.BOOL, (handle, handle)),
        ("SetInformationJobObject", wintypes.BOOL, (handle, ctypes.c_int, pointer, word)),
        ("TerminateJobObject", wintypes.BOOL, (handle, wintypes.UINT)),
        ("CloseHandle", wintypes.BOOL, (handle,)),
    ):
        function = getattr(kernel, name)
        function.restype, function.argtypes = result, takes
    return kernel
