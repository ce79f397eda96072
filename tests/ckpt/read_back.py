"""Epochs are ordinary HDF5 files: h5py and h5dump read the global arrays, whatever the number of ranks, and whatever
filter they went through.

usage: read_back.py MPIEXEC WRITE_EPOCH PLUGINS
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

# Deflate is part of HDF5. Of zstd Debian has no filter, so ours is tried; of LZ4 that of hdf5-filter-plugin.
LZ4_PLUGINS = sorted(pathlib.Path("/usr/lib").glob("*/hdf5/serial/plugins"))
os.environ["HDF5_PLUGIN_PATH"] = ":".join([sys.argv[3], *map(str, LZ4_PLUGINS)])

import h5py  # noqa: E402
import numpy  # noqa: E402

FILTERS = {"zstd": 32015, "lz4": 32004, "deflate": 1}
NUMBER = numpy.arange(300000, dtype="u8").reshape(300, 1000)


def scrambled(number):
    number = number + numpy.uint64(0x9E3779B97F4A7C15)
    number = (number ^ number >> numpy.uint64(30)) * numpy.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ number >> numpy.uint64(27)) * numpy.uint64(0x94D049BB133111EB)
    return number ^ number >> numpy.uint64(31)


def check_u(dataset):
    rows = numpy.arange(300, dtype="f8")[:, None]
    columns = numpy.arange(1000, dtype="f8")[None, :]
    assert dataset.shape == (300, 1000) and dataset.dtype == "<f8", dataset
    assert (dataset[...] == rows + 1e-3 * columns).all()


def check_storage(dataset, codec, gains):
    """Whether the filters are those of the registry, and chunks that gain nothing go through none."""
    if codec == "none":
        assert dataset.chunks is None
        return
    plist = dataset.id.get_create_plist()
    assert [plist.get_filter(i)[0] for i in range(plist.get_nfilters())] == [2, FILTERS[codec]], dataset
    chunks = [dataset.id.get_chunk_info(i) for i in range(dataset.id.get_num_chunks())]
    assert len(chunks) > 1
    whole = int(numpy.prod(dataset.chunks)) * dataset.dtype.itemsize
    for chunk in chunks:
        assert (chunk.filter_mask, chunk.size < whole) == ((0, True) if gains else (3, False)), chunk
    if gains:
        assert dataset.size * dataset.dtype.itemsize > 1.3 * sum(chunk.size for chunk in chunks)


def check_epoch(epoch, codec):
    with h5py.File(epoch, "r") as file:
        check_u(file["u"])
        check_storage(file["u"], codec, gains=True)
        check_storage(file["mesh/id"], codec, gains=True)
        check_storage(file["noise"], codec, gains=False)
        assert file["u"].attrs["units"].decode() == "K" and file["u"].attrs["time"] == 0.5
        assert (file["mesh/id"][...].ravel() == numpy.arange(300000)).all()
        assert (file["noise"][...] == scrambled(NUMBER)).all()
        assert file.attrs["cairn_step"] == 42 and file.attrs["cairn_program"].decode() == "write-epoch"
    dump = subprocess.run(["h5dump", "-d", "/u", "-s", "299,999", "-c", "1,1", str(epoch)],
                          check=True, timeout=50, capture_output=True, text=True).stdout
    assert "(299,999): 299.999" in dump, dump


def main(mpiexec, program, plugins):
    assert list(pathlib.Path(plugins).glob("*.so")), f"no filter in {plugins}"
    assert LZ4_PLUGINS, "the package hdf5-filter-plugin is missing; scripts/setup.sh installs it"
    for codec in ("none", *FILTERS):
        digests = set()
        for ranks in (1, 2, 3, 4, 7) if codec in ("none", "zstd") else (1, 3):
            with tempfile.TemporaryDirectory() as scratch:
                subprocess.run([mpiexec, "-n", str(ranks), program, scratch, codec], check=True, timeout=50)
                epoch = pathlib.Path(scratch) / "epoch-0000000001.h5"
                check_epoch(epoch, codec)
                digests.add(hashlib.sha256(epoch.read_bytes()).hexdigest())
                with h5py.File(pathlib.Path(scratch) / "plain.h5", "r") as file:
                    check_u(file["u"])
                names = {path.name for path in pathlib.Path(scratch).iterdir() if not path.name.startswith("inc.")}
                assert names == {"epoch-0000000001.h5", "epoch-0000000001.record", "lock", "plain.h5"}, names
        assert len(digests) == 1, f"{codec}: the file depends on the number of ranks"
    print("h5py and h5dump read what 1, 2, 3, 4 and 7 ranks wrote, plain and through", *FILTERS)


main(*sys.argv[1:])
