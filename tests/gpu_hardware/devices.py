"""Is there a GPU that CUDA 13 can use? Asked of the driver alone, before anything is built."""
import ctypes
import glob
import os

WANTED = 13000  # the CUDA that the plug-in is built with, as the driver counts


class Missing(Exception):
    """No GPU; the text says what is missing."""


def version_text(number):
    return f"{number // 1000}.{number % 1000 // 10}"


def ask(library, count, driver_version):
    """(devices, driver's CUDA version) by functions of the driver or of a preloaded runtime, which take pointers to
    int and return 0; errors come as their number."""
    n, version = ctypes.c_int(0), ctypes.c_int(0)
    error = getattr(library, driver_version)(ctypes.byref(version))
    if not error and version.value < WANTED:
        raise Missing(f"the driver is too old: it knows CUDA {version_text(version.value)}, want "
                      f"{version_text(WANTED)} (driver 580 or newer)")
    error = error or getattr(library, count)(ctypes.byref(n))
    if error:
        raise Missing(f"the driver answers with error {error}")
    if n.value == 0:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f" (CUDA_VISIBLE_DEVICES is \"{hidden}\")" if hidden is not None else ""
        raise Missing(f"the driver is there, but no device{why}")
    return n.value, version_text(version.value)


def look():
    """{"count", "cuda", "is_simulated"}; raises Missing."""
    process = ctypes.CDLL(None)
    if hasattr(process, "cudaGetDeviceCount"):  # somebody preloaded a runtime
        count, cuda = ask(process, "cudaGetDeviceCount", "cudaDriverGetVersion")
        return {"count": count, "cuda": cuda, "is_simulated": True}
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        nodes = glob.glob("/dev/nvidia[0-9]*")
        what = f"but {', '.join(nodes)} exist: the driver's library is not installed or not mounted into this " \
               "container" if nodes else "and no /dev/nvidia*: no NVIDIA driver is installed"
        raise Missing(f"there is no libcuda.so.1, {what}") from None
    error = driver.cuInit(0)
    if error:
        nodes = glob.glob("/dev/nvidia[0-9]*") or "none"
        raise Missing(f"the driver does not start: cuInit says {error}; device nodes: {nodes}")
    count, cuda = ask(driver, "cuDeviceGetCount", "cuDriverGetVersion")
    return {"count": count, "cuda": cuda, "is_simulated": False}
