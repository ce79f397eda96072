"""Epochs are ordinary HDF5 files: h5py and h5dump read the global arrays, whatever the number of ranks.

usage: read_back.py MPIEXEC WRITE_EPOCH
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy


def check_u(dataset):
    rows = numpy.arange(300, dtype="f8")[:, None]
    columns = numpy.arange(1000, dtype="f8")[None, :]
    assert dataset.shape == (300, 1000) and dataset.dtype == "<f8", dataset
    assert (dataset[...] == rows + 1e-3 * columns).all()


def main(mpiexec, program):
    for ranks in (1, 2, 3, 4, 7):
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run([mpiexec, "-n", str(ranks), program, scratch], check=True, timeout=50)
            epoch = pathlib.Path(scratch) / "epoch-0000000001.h5"
            with h5py.File(epoch, "r") as file:
                check_u(file["u"])
                assert file["u"].attrs["units"].decode() == "K" and file["u"].attrs["time"] == 0.5
                assert (file["mesh/id"][...].ravel() == numpy.arange(300000)).all()
                assert file.attrs["cairn_step"] == 42 and file.attrs["cairn_program"].decode() == "write-epoch"
            with h5py.File(pathlib.Path(scratch) / "plain.h5", "r") as file:
                check_u(file["u"])
            dump = subprocess.run(["h5dump", "-d", "/u", "-s", "299,999", "-c", "1,1", str(epoch)],
                                  check=True, timeout=50, capture_output=True, text=True).stdout
            assert "(299,999): 299.999" in dump, dump
            names = {path.name for path in pathlib.Path(scratch).iterdir() if not path.name.startswith("inc.")}
            assert names == {"epoch-0000000001.h5", "epoch-0000000001.record", "lock", "plain.h5"}, names
    print("h5py and h5dump read what 1, 2, 3, 4 and 7 ranks wrote")


main(*sys.argv[1:])
