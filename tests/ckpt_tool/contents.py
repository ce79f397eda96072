"""What `cairn ckpt` says of epochs, compared with what h5py reads from them.

usage: contents.py CAIRN WRITE_FIELDS CAIRN_HEAT READ_XDMF MPIEXEC
"""

import pathlib
import random
import re
import subprocess
import unittest
import xml.etree.ElementTree as xml
import zlib

import h5py
import numpy

from support import (BAD_DATA, DIFFERENT, HEAT, READ_XDMF, SAME, USAGE, CkptTest, ckpt, contents, data_file, flip, record_file,
                     write_fields)


def datasets(path):
    """{name: (array, offset in the file)}"""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: (item[...], item.id.get_offset())})
                        if isinstance(item, h5py.Dataset) else None)
    return found


def read_png(path):
    """The pixels of an RGB picture, shape [rows, columns, 3]: a decoder of its own, by the PNG specification."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, packed = 8, b""
    while position < len(data):
        length, kind = int.from_bytes(data[position:position + 4], "big"), data[position + 4:position + 8]
        body = data[position + 8:position + 8 + length]
        if kind == b"IHDR":
            columns, rows = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
            assert body[8:10] == b"\x08\x02", "eight bits, RGB"
        packed += body if kind == b"IDAT" else b""
        position += 12 + length
    raw, size = zlib.decompress(packed), 3 * columns
    pixels, above = bytearray(), bytearray(size)
    for start in range(0, len(raw), size + 1):
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + size])
        for i in range(size if kind else 0):
            left, up, corner = (line[i - 3], above[i], above[i - 3]) if i > 2 else (0, above[i], 0)
            if kind < 4:
                guess = (0, left, up, (left + up) // 2)[kind]
            else:
                guess = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
            line[i] = (line[i] + guess) % 256
        pixels += line
        above = line
    return numpy.frombuffer(bytes(pixels), dtype="u1").reshape(rows, columns, 3)


def brightness(pixels):
    return pixels @ numpy.array([0.2126, 0.7152, 0.0722])


class Show(CkptTest):
    def test_ls(self):
        before = contents(self.epochs)
        lines = ckpt("ls", self.epochs).out.splitlines()
        self.assertEqual([line.split()[:5] for line in lines[1:]], [["1", "10", "1", "0", "4"], ["2", "20", "2", "0", "4"]])
        self.assertTrue(all(line.endswith("write-fields  committed") for line in lines[1:]), lines)
        listed = ckpt("ls", "--json", self.epochs).json()
        self.assertEqual(listed["directory"], str(self.epochs))
        self.assertEqual([entry["verdict"] for entry in listed["epochs"]], ["committed"] * 2)
        newest = listed["epochs"][-1]
        sizes = data_file(self.epochs, 2).stat().st_size + record_file(self.epochs, 2).stat().st_size
        self.assertEqual((newest["epoch"], newest["size_bytes"], newest["parent"]), (2, sizes, None))
        self.assertEqual(newest["files"], ["epoch-0000000002.h5", "epoch-0000000002.record"])
        self.assertEqual(contents(self.epochs), before)

    def test_show(self):
        info = ckpt("show", "--json", self.epochs).json()
        self.assertEqual((info["epoch"], info["step"], info["ranks"], info["identity"]), (2, 20, 4, "a b"))
        self.assertEqual({value["name"]: value["value"] for value in info["values"]},
                         {"time": 2.25, "count": -7, "flag": 1})
        expected = datasets(data_file(self.epochs, 2))
        self.assertEqual({field["name"] for field in info["fields"]}, set(expected))
        for field in info["fields"]:
            array, _ = expected[field["name"]]
            self.assertEqual((tuple(field["shape"]), field["type"], field["size_bytes"]),
                             (array.shape, array.dtype.name, array.nbytes))
            seen = numpy.zeros(array.shape, dtype=int)
            for part in field["parts"]:
                seen[tuple(slice(o, o + c) for o, c in zip(part["offset"], part["count"]))] += 1
            self.assertTrue((seen == 1).all(), "the parts tile the field")
        text = ckpt("show", self.epochs, 1).out
        for line in ("step      10\n", "time  float64  0.25\n", "  int64  int64  5×6×7×8  13.1 KiB  in 4 parts\n"):
            self.assertIn(line, text)


class Verify(CkptTest):
    def verified(self, code):
        """The verdicts of both epochs, from JSON and in agreement with the exit code and the text."""
        ended = ckpt("verify", "--json", self.epochs)
        self.expect(ended, code)
        text = ckpt("verify", self.epochs)
        self.assertEqual(text.code, code)
        self.assertEqual(text.err, ended.err)
        self.assertEqual([line.split()[1:3] for line in text.out.splitlines() if line.startswith("epoch")],
                         [[f"{each['epoch']}:", "good," if each["good"] else "damaged,"] for each in ended.json()["epochs"]])
        return ended.json()["epochs"]

    def test_good_epochs_are_read_in_full(self):
        before = contents(self.epochs)
        for each in self.verified(SAME):
            self.assertEqual((each["good"], each["bytes_read"]), (True, data_file(self.epochs, each["epoch"]).stat().st_size))
        self.assertEqual(contents(self.epochs), before)

    def test_a_flipped_byte_in_any_field_is_named_with_its_region(self):
        data = data_file(self.epochs, 1)
        fields = {name: found for name, found in datasets(data).items() if found[0].size > 0}
        for place in (lambda array: 0, lambda array: array.size // 3, lambda array: array.size - 1):
            flipped = {name: offset + place(array) * array.itemsize + array.itemsize - 1
                       for name, (array, offset) in fields.items()}
            for at in flipped.values():
                flip(data, at)
            ended = ckpt("verify", "--json", self.epochs, 1)
            for at in flipped.values():
                flip(data, at)
            self.assertEqual(ended.code, BAD_DATA)
            bad = {each["field"]: each for each in ended.json()["epochs"][0]["bad"]}
            self.assertEqual((set(bad), len(ended.json()["epochs"][0]["bad"])), (set(fields), len(fields)))
            for name, (array, offset) in fields.items():
                with self.subTest(field=name):
                    self.assertEqual(bad[name]["file"], data.name)
                    self.check_range(bad[name], array, offset, place(array), flipped[name])

    def check_range(self, bad, array, offset, element, at):
        self.assertTrue(bad["offset_bytes"] <= at < bad["offset_bytes"] + bad["length_bytes"], (at, bad))
        region = numpy.zeros(array.shape, dtype=bool)
        region[tuple(slice(o, o + c) for o, c in zip(bad["region"]["offset"], bad["region"]["count"]))] = True
        self.assertTrue(region[numpy.unravel_index(element, array.shape)], bad)
        # The range lies within the region, and no piece is larger than 1 MiB.
        first, last = numpy.flatnonzero(region)[[0, -1]]
        self.assertGreaterEqual(bad["offset_bytes"], offset + first * array.itemsize)
        self.assertLessEqual(bad["offset_bytes"] + bad["length_bytes"], offset + (last + 1) * array.itemsize)
        self.assertLessEqual(bad["covered_bytes"], 1 << 20)

    def test_a_flipped_byte_between_the_fields_is_structure(self):
        data = data_file(self.epochs, 2)
        covered = numpy.zeros(data.stat().st_size, dtype=bool)
        for array, offset in datasets(data).values():
            if array.size:
                covered[offset:offset + array.nbytes] = True
        structure = numpy.flatnonzero(~covered)
        for at in [0, int(structure[-1])] + random.Random(1).sample(structure.tolist(), 4):
            with self.subTest(at=at):
                flip(data, at)
                verdicts = ckpt("verify", "--json", self.epochs, 2)
                flip(data, at)
                self.assertEqual(verdicts.code, BAD_DATA)
                [bad] = verdicts.json()["epochs"][0]["bad"]
                self.assertEqual((bad["field"], bad["region"], bad["reason"]), (None, None, "the digest does not fit"))
                self.assertTrue(bad["offset_bytes"] <= at < bad["offset_bytes"] + bad["length_bytes"], (at, bad))
                self.assertFalse(covered[bad["offset_bytes"]:bad["offset_bytes"] + bad["length_bytes"]].any())

    def test_two_bad_pieces_that_follow_each_other_are_one_range_and_others_two(self):
        data = data_file(self.epochs, 1)
        array, offset = datasets(data)["float64"]  # a part is 400 × 350: a piece of 1 MiB and one of 71 KiB
        flip(data, offset)
        flip(data, offset + (399 * 700) * 8)
        flip(data, offset + (799 * 700 + 699) * 8)
        good, bad = self.verified(BAD_DATA)[1], self.verified(BAD_DATA)[0]["bad"]
        self.assertTrue(good["good"])
        regions = [(each["region"]["offset"], each["region"]["count"]) for each in bad]
        self.assertEqual(regions, [([0, 0], [400, 350]), ([774, 350], [26, 350])])  # 131072 = 374 × 350 + 172
        self.assertEqual(bad[0]["covered_bytes"], 400 * 350 * 8)
        self.assertEqual(bad[0]["length_bytes"], (399 * 700 + 350) * 8)

    def test_files_of_another_size(self):
        data, whole = data_file(self.epochs, 2), data_file(self.epochs, 2).read_bytes()
        with open(data, "ab") as file:
            file.write(b"more")
        [bad] = self.verified(BAD_DATA)[1]["bad"]
        self.assertEqual((bad["offset_bytes"], bad["length_bytes"]), (len(whole), 4))
        data.write_bytes(whole[:len(whole) // 2])
        ranges = self.verified(BAD_DATA)[1]["bad"]
        self.assertEqual((ranges[0]["offset_bytes"], ranges[0]["field"]), (len(whole) // 2, None))
        self.assertIn(f"has {len(whole) // 2} bytes instead of {len(whole)}", ranges[0]["reason"])
        self.assertIn("float64", [each["field"] for each in ranges])
        self.assertEqual({each["reason"] for each in ranges[1:]}, {"the file ends before"})
        data.unlink()
        [bad] = self.verified(BAD_DATA)[1]["bad"]
        self.assertEqual((bad["file"], bad["reason"], bad["length_bytes"]), (data.name, "it does not exist", len(whole)))

    def test_a_damaged_record(self):
        record = record_file(self.epochs, 2)
        flip(record, 1000)
        [bad] = self.verified(BAD_DATA)[1]["bad"]
        self.assertEqual((bad["file"], bad["length_bytes"]), (record.name, record.stat().st_size))
        self.assertEqual(bad["reason"], "its digest does not fit its contents")


class Diff(CkptTest):
    def test_every_type_against_numpy(self):
        ended = ckpt("diff", "--json", f"{self.epochs}:1", f"{self.epochs}:2")
        self.expect(ended, DIFFERENT)
        a, b = datasets(data_file(self.epochs, 1)), datasets(data_file(self.epochs, 2))
        result = ended.json()
        self.assertFalse(result["same"])
        self.assertEqual({field["name"] for field in result["fields"]}, set(a))
        for field in result["fields"]:
            with self.subTest(field=field["name"]):
                x, y = a[field["name"]][0].ravel(), b[field["name"]][0].ravel()
                bits = x.view(f"V{x.itemsize}") != y.view(f"V{y.itemsize}")
                where = numpy.flatnonzero(bits)
                self.assertEqual(field["different_elements"], where.size)
                if where.size == 0:
                    self.assertEqual((field["status"], field["first"]), ("same", None))
                    continue
                self.assertEqual(field["status"], "different")
                index = numpy.unravel_index(where[0], a[field["name"]][0].shape)
                self.assertEqual(field["first"]["index"], [int(each) for each in index])
                self.check_numbers(field, x[where], y[where])
        changed = {field["name"] for field in result["fields"] if field["status"] == "different"}
        self.assertEqual(changed, set(a) - {"empty"})
        self.assertEqual([(value["name"], value["status"], value["a"], value["b"]) for value in result["values"]],
                         [("time", "different", 0.25, 2.25), ("count", "same", -7, -7), ("flag", "same", 1, 1)])

    def check_numbers(self, field, x, y):
        if x.dtype.kind in "iu":
            self.assertEqual(field["max_abs_difference"], max(abs(int(p) - int(q)) for p, q in zip(x, y)))
            self.assertEqual((field["first"]["a"], field["first"]["b"]), (int(x[0]), int(y[0])))
            return
        distance = abs(x.astype(complex) - y.astype(complex)).max()
        self.assertEqual(field["max_abs_difference"], None if numpy.isnan(distance) else distance)
        if x.dtype.kind == "c":
            self.assertEqual(field["first"]["a"], [x[0].real, x[0].imag])
        else:
            self.assertEqual(field["first"]["b"], None if numpy.isnan(y[0]) else y[0])

    def test_the_extremes_of_64_bits_and_a_not_a_number(self):
        fields = {field["name"]: field for field in
                  ckpt("diff", "--json", f"{self.epochs}:1", f"{self.epochs}:2").json()["fields"]}
        self.assertEqual(fields["int64"]["max_abs_difference"], 2**64 - 1)
        self.assertIsNone(fields["float32"]["max_abs_difference"])

    def test_the_same_bits_of_other_ranks_are_the_same(self):
        three = self.folder / "three"
        write_fields(3, three, 30, 0)
        ended = ckpt("diff", f"{self.epochs}:1", three)
        self.expect(ended, SAME)
        self.assertTrue(ended.out.endswith("\nthe same\n"))
        self.assertIn("field float64: same\n", ended.out)

    def test_fields_of_one_side_and_other_shapes(self):
        heat = self.folder / "heat"
        subprocess.run([HEAT, "--size", "16", "--steps", "2", "--ckpt-dir", str(heat), "--ckpt-every", "1"], check=True,
                       timeout=30, capture_output=True)
        ended = ckpt("diff", heat, self.epochs)
        self.expect(ended, DIFFERENT)
        self.assertIn("field u: only in A\n", ended.out)
        self.assertIn("field group/int32: only in B\n", ended.out)
        self.assertIn("value time: only in B\n", ended.out)


class Export(CkptTest):
    def test_all_fields(self):
        before = contents(self.epochs)
        out = self.folder / "out.h5"
        self.expect(ckpt("export", self.epochs, out), SAME)
        expected, exported = datasets(data_file(self.epochs, 2)), datasets(out)
        self.assertEqual(set(exported), set(expected))
        for name, (array, _) in exported.items():
            self.assertEqual(array.dtype, expected[name][0].dtype)
            self.assertEqual(array.shape, expected[name][0].shape)
            self.assertEqual(array.tobytes(), expected[name][0].tobytes())
        with h5py.File(out, "r") as file:
            self.assertEqual((file.attrs["cairn_epoch"], file.attrs["cairn_step"]), (2, 20))
            self.assertEqual((file["float64"].attrs["units"], file["float64"].attrs["time"]), (b"K", 0.5))
            self.assertIsNone(file["float64"].chunks)
        self.assertEqual(contents(self.epochs), before)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["epochs", "other", "out.h5"])

    def test_one_field_of_an_older_epoch_over_an_old_file(self):
        out = self.folder / "out.h5"
        out.write_text("old")
        self.expect(ckpt("export", f"{self.epochs}:1", "--field", "group/int32", "--field", "group/int32", out), SAME)
        exported = datasets(out)
        self.assertEqual(list(exported), ["group/int32"])
        self.assertEqual(exported["group/int32"][0].tobytes(),
                         datasets(data_file(self.epochs, 1))["group/int32"][0].tobytes())

    def test_xdmf_leads_to_every_field_on_a_grid(self):
        out = self.folder / "a & b.h5"
        self.expect(ckpt("export", self.epochs, "--xdmf", out), SAME)
        tree = xml.parse(self.folder / "a & b.xdmf").getroot()
        self.assertEqual((tree.tag, tree.get("Version")), ("Xdmf", "3.0"))
        described = {}
        for item in tree.iterfind("Domain/Grid/Attribute/DataItem"):
            name, dataset = item.text.split(":/")
            self.assertEqual((item.get("Format"), name), ("HDF", "a & b.h5"))
            kind = {"Float": "f", "Int": "i", "Char": "i", "Short": "i", "UInt": "u", "UChar": "u", "UShort": "u"}[item.get("NumberType")]
            shape = tuple(map(int, item.get("Dimensions").split()))
            described[dataset] = numpy.dtype(f"{kind}{item.get('Precision')}"), shape
        for grid in tree.iterfind("Domain/Grid"):
            origin, spacing = (item.text.split() for item in grid.findall("Geometry/DataItem"))
            self.assertEqual((origin, spacing), (["0"] * 3, ["1"] * 3))
        expected = {name: (array.dtype, (1,) * (3 - array.ndim) + array.shape)
                    for name, (array, _) in datasets(out).items()
                    if 1 <= array.ndim <= 3 and array.size and array.dtype.kind in "fiu"}
        self.assertEqual(described, expected)
        self.assertGreaterEqual(len(expected), 7)
        self.expect(ckpt("export", self.epochs, "--xdmf", "--png", out), USAGE, "--xdmf describes an OUT.h5")
        self.expect(ckpt("export", self.epochs, "--xdmf", self.folder / "a.xdmf"), USAGE, "names an HDF5 file")
        self.expect(ckpt("export", self.epochs, "--xdmf", "--field", "complex64", out), USAGE, "none of the fields")

    def test_xdmf_is_read_by_its_own_library(self):
        out = self.folder / "out.h5"
        self.expect(ckpt("export", self.epochs, "--xdmf", out), SAME)
        read = subprocess.run([READ_XDMF, self.folder / "out.xdmf"], capture_output=True, text=True, timeout=30)
        self.assertEqual((read.returncode, read.stderr), (0, ""))
        kinds = {"i1": "Char", "u1": "UChar", "i2": "Short", "u2": "UShort", "f": "Float", "i": "Int", "u": "UInt"}
        expected = set()
        for name, (array, _) in datasets(out).items():
            if not (1 <= array.ndim <= 3 and array.size and array.dtype.kind in "fiu"):
                continue
            shape = (1,) * (3 - array.ndim) + array.shape
            word = array.dtype.str[1:]
            kind = kinds.get(word, kinds[word[0]]) + str(8 * array.itemsize)
            extents = " ".join(map(str, shape))
            expected.add((extents, name, kind, extents, zlib.crc32(array.tobytes())))
        lines = [line.split("|") for line in read.stdout.splitlines()]
        self.assertGreaterEqual(len(lines), 7)
        self.assertEqual({(*words, zlib.crc32(bytes.fromhex(data))) for *words, data in lines}, expected)

    def check_picture(self, field, slices, expected):
        png = self.folder / "out.png"
        ended = ckpt("export", f"{self.epochs}:1", "--field", field, *(f"--slice={each}" for each in slices), "--png", png)
        self.expect(ended, SAME)
        pixels = read_png(png)
        self.assertEqual(pixels.shape[:2], expected.shape)
        colours = [float(word) for word in re.search(r"colours from (\S+) to (\S+)\n", ended.out).groups()]
        numpy.testing.assert_allclose(colours, [expected.min(), expected.max()], rtol=1e-12)
        self.assertEqual(tuple(pixels[numpy.unravel_index(expected.argmin(), expected.shape)]), (0, 0, 4))
        self.assertEqual(tuple(pixels[numpy.unravel_index(expected.argmax(), expected.shape)]), (252, 255, 164))
        order = numpy.argsort(expected, axis=None, kind="stable")
        self.assertTrue((numpy.diff(brightness(pixels).ravel()[order]) > -1).all(), "brighter means larger")

    def test_pictures(self):
        arrays = {name: array for name, (array, _) in datasets(data_file(self.epochs, 1)).items()}
        self.check_picture("int16", [], arrays["int16"])
        self.check_picture("group/int32", ["0=6"], arrays["group/int32"][6])
        self.check_picture("group/int32", ["1=3"], arrays["group/int32"][:, 3])
        self.check_picture("group/int32", ["2=10"], arrays["group/int32"][:, :, 10])
        self.check_picture("uint64", ["3=1", "0=2"], arrays["uint64"][2, :, :, 1])
        self.check_picture("complex64", [], abs(arrays["complex64"].astype("c16")))

    def test_a_large_picture_has_no_hole_and_grey_for_what_is_not_a_number(self):
        png = self.folder / "out.png"
        self.expect(ckpt("export", f"{self.epochs}:1", "--field", "float64", "--png", png), SAME)
        pixels = read_png(png)
        self.assertEqual(pixels.shape, (800, 700, 3))
        self.assertEqual(tuple(pixels[0, 3]), (128, 128, 128))
        self.assertEqual((pixels == 128).all(axis=2).sum(), 1)
        self.assertEqual(tuple(pixels[799, 699]), (252, 255, 164))

    def test_damage_is_refused_and_leaves_the_old_file(self):
        out, data = self.folder / "out.h5", data_file(self.epochs, 2)
        out.write_text("old")
        flip(data, datasets(data)["float64"][1] + 12345)
        self.expect(ckpt("export", self.epochs, out), BAD_DATA, "is damaged in field 'float64'")
        self.expect(ckpt("export", self.epochs, "--field", "float64", "--png", out), BAD_DATA, "float64")
        self.assertEqual(out.read_text(), "old")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["epochs", "other", "out.h5"])
        self.expect(ckpt("export", self.epochs, "--field", "int64", out), SAME)
        self.expect(ckpt("diff", f"{self.epochs}:1", f"{self.epochs}:2"), BAD_DATA, "is damaged in field 'float64'")


if __name__ == "__main__":
    unittest.main()
