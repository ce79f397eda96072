"""`cairn ckpt` and programs with encrypted epochs: what needs the key, exit codes, and rekeying killed anywhere.

usage: encryption.py CAIRN WRITE_FIELDS CAIRN_HEAT READ_XDMF MPIEXEC
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import h5py
import numpy

from support import BAD_DATA, DIFFERENT, HEAT, PERMISSION, SAME, USAGE, ckpt, contents, data_file, flip, record_file


def heat(*words):
    return subprocess.run([HEAT, "--size", "32", "--ckpt-every", "1", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)


class Encrypted(unittest.TestCase):
    """On copies of `plain` and `sealed`, epochs 3 and 4 of one program, without and with a key."""

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="cairn-ckpt-key-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.keys = []
        for name, content in (("first", "1f" * 32 + "\n"), ("second", "2e" * 32)):
            key = cls.root / name
            key.write_text(content)
            key.chmod(0o600)
            cls.keys.append(key)
        ended = heat("--steps", 4, "--ckpt-dir", cls.root / "plain")
        assert ended.returncode == 0, ended.stderr
        ended = heat("--steps", 4, "--ckpt-dir", cls.root / "sealed", "--ckpt-key-file", cls.keys[0])
        assert ended.returncode == 0, ended.stderr

    def setUp(self):
        self.folder = self.root / self.id().rsplit(".", 1)[1]
        self.epochs = self.folder / "sealed"
        shutil.copytree(self.root / "sealed", self.epochs)
        self.addCleanup(shutil.rmtree, self.folder)

    def key_id(self, epochs, *words):
        return ckpt("show", "--json", epochs, *words).json()["key_id"]

    def test_h5py_sees_no_plain_number(self):
        with h5py.File(data_file(self.root / "plain", 4)) as plain, h5py.File(data_file(self.epochs, 4)) as sealed:
            for name in plain:
                self.assertEqual(plain[name].shape, sealed[name].shape)
                self.assertFalse(numpy.any(plain[name][...] == sealed[name][...]), name)

    def test_what_needs_the_key_and_what_does_not(self):
        first, second = self.keys
        self.assertIsNone(self.key_id(self.root / "plain"))
        self.assertRegex(self.key_id(self.epochs), r"\A[0-9a-f]{16}\Z")
        self.assertIn("key       " + self.key_id(self.epochs), ckpt("show", self.epochs).out)
        self.assertEqual(ckpt("ls", self.epochs).code, SAME)
        self.assertEqual(ckpt("verify", self.epochs).code, SAME)
        self.assertEqual(ckpt("verify", self.epochs, "--key-file", first).code, SAME)
        self.assertEqual(ckpt("verify", self.epochs, CAIRN_CKPT_KEY="1f" * 32).code, SAME)
        self.assertEqual(ckpt("verify", self.epochs, "--key-file", second).code, PERMISSION)
        exported = self.folder / "out.h5"
        for words, code in (([], PERMISSION), (["--key-file", second], PERMISSION), (["--key-file", first], SAME)):
            self.assertEqual(ckpt("export", f"{self.epochs}:4", exported, *words).code, code)
            self.assertEqual(ckpt("diff", f"{self.epochs}:4", f"{self.root / 'plain'}:4", *words).code, code)
            self.assertEqual(exported.exists(), code == SAME)
        with h5py.File(exported) as ours, h5py.File(data_file(self.root / "plain", 4)) as plain:
            for name in plain:
                self.assertTrue(numpy.array_equal(ours[name][...], plain[name][...]))
        self.assertEqual(ckpt("diff", f"{self.epochs}:3", f"{self.root / 'plain'}:4", "--key-file", first).code, DIFFERENT)

    def test_a_key_that_others_can_read_and_one_that_is_none(self):
        key = self.folder / "key"
        key.write_text("3d" * 32)
        for mode in (0o640, 0o604, 0o620):
            key.chmod(mode)
            ended = ckpt("verify", self.epochs, "--key-file", key)
            self.assertEqual((ended.code, "3d3d" in ended.err), (PERMISSION, False))
        key.chmod(0o600)
        key.write_text("3d" * 31)
        self.assertEqual(ckpt("verify", self.epochs, "--key-file", key).code, USAGE)
        self.assertEqual(ckpt("verify", self.epochs, CAIRN_CKPT_KEY="3d3d").code, USAGE)

    def test_a_program_refuses_a_wrong_key_and_goes_on_with_the_right_one(self):
        run = ["--steps", 6, "--ckpt-dir", self.epochs]
        before = contents(self.epochs)
        self.assertEqual(heat(*run).returncode, PERMISSION)
        self.assertEqual(heat(*run, "--ckpt-key-file", self.keys[1]).returncode, PERMISSION)
        self.assertEqual({name: bytes_ for name, (_, bytes_) in contents(self.epochs).items()},
                         {name: bytes_ for name, (_, bytes_) in before.items()})
        self.assertEqual(heat(*run, "--ckpt-key-file", self.keys[0]).returncode, SAME)
        plain = self.folder / "plain"
        shutil.copytree(self.root / "plain", plain)
        run = ["--steps", 6, "--ckpt-dir", plain, "--ckpt-key-file", self.keys[0]]
        self.assertEqual(heat(*run).returncode, PERMISSION)
        self.assertEqual(heat(*run, "--ckpt-accept-plain").returncode, SAME)

    def test_tampered_epochs_end_with_65(self):
        for epoch in (3, 4):
            flip(record_file(self.epochs, epoch), 900)
        self.assertEqual(ckpt("verify", self.epochs, "--key-file", self.keys[0]).code, BAD_DATA)
        ended = heat("--steps", 6, "--ckpt-dir", self.epochs, "--ckpt-key-file", self.keys[0])
        self.assertEqual(ended.returncode, BAD_DATA)

    def good_keys(self, epochs, epoch, *keys):
        """Under which of the keys every tag of the epoch fits."""
        return [key for key in keys if ckpt("verify", epochs, epoch, "--key-file", key).code == SAME
                and self.key_id(epochs, epoch) is not None]

    def expect_all_under(self, epochs, key):
        plain = self.root / "plain"
        for epoch in (3, 4):
            self.assertEqual(self.good_keys(epochs, epoch, *self.keys), [key])
            self.assertEqual(ckpt("diff", f"{epochs}:{epoch}", f"{plain}:{epoch}", "--key-file", key).code, SAME)
        self.assertEqual(len(list(epochs.glob("*.h5"))), 2)
        self.assertEqual(list(epochs.glob("*.tmp")), [])
        self.assertEqual(heat("--steps", 7, "--ckpt-dir", epochs, "--ckpt-key-file", key).returncode, SAME)
        self.assertEqual(len(list(epochs.glob("*.h5"))), 2)  # those of other names are retired too

    def test_rekey(self):
        first, second = self.keys
        rekey = ["rekey", self.epochs, "--new-key-file", second]
        before = contents(self.epochs)
        self.assertEqual(ckpt(*rekey).code, PERMISSION)
        self.assertEqual(contents(self.epochs), before)
        self.assertEqual(ckpt(*rekey, "--key-file", first).out.count(" now\n"), 2)
        self.assertEqual(ckpt(*rekey, "--key-file", first).out.count(" already\n"), 2)
        back = ["rekey", self.epochs, "--key-file", second, "--new-key-file", first]
        self.assertEqual(ckpt(*back).code, SAME)
        self.assertEqual(ckpt(*rekey, "--key-file", first).code, SAME)
        self.expect_all_under(self.epochs, second)

    def test_rekey_of_plain_epochs(self):
        epochs = self.folder / "plain"
        shutil.copytree(self.root / "plain", epochs)
        shutil.copy(data_file(epochs, 3), epochs / "spare.h5")
        self.assertEqual(ckpt("rekey", epochs, "--new-key-file", self.keys[0]).code, SAME)
        self.assertFalse((epochs / "spare.h5").exists())
        self.expect_all_under(epochs, self.keys[0])

    def test_a_plain_epoch_among_sealed_ones_is_not_taken_for_one(self):
        first, second = self.keys
        for path in (data_file, record_file):
            shutil.copy(path(self.root / "plain", 3), path(self.epochs, 3))
        before = contents(self.epochs)
        rekey = ["rekey", self.epochs, "--new-key-file", second, "--key-file", first]
        for words in (["verify", self.epochs, 3], ["verify", self.epochs], ["show", self.epochs, 3],
                      ["export", f"{self.epochs}:3", self.folder / "out.h5"], rekey[:]):
            ended = ckpt(*words, *([] if words[0] == "rekey" else ["--key-file", first]))
            self.assertEqual(ended.code, PERMISSION, ended)
            self.assertIn("anybody could have written it", ended.err)
        self.assertEqual(contents(self.epochs), before)
        self.assertEqual(ckpt("verify", self.epochs, 4, "--key-file", first).code, SAME)
        # Who says that it is theirs encrypts it first.
        self.assertEqual(ckpt("rekey", self.epochs, "--new-key-file", first).code, SAME)
        self.assertEqual(ckpt(*rekey).code, SAME)
        self.expect_all_under(self.epochs, second)

    def test_rekey_killed_anywhere(self):
        first, second = self.keys
        for name in ("rekey.sync", "rekey.rename", "rekey.publish", "record.write", "record.sync", "publish.record",
                     "publish.sync", "rekey.remove"):
            for hit in (1, 2) if "CAIRN_TEST_LONG" in os.environ or name == "rekey.publish" else (1,):
                epochs = self.folder / f"{name}-{hit}"
                shutil.copytree(self.root / "sealed", epochs)
                rekey = ["rekey", epochs, "--key-file", first, "--new-key-file", second]
                ended = ckpt(*rekey, CAIRN_FAILPOINTS=f"ckpt.{name}=kill,hit={hit}")
                self.assertEqual(ended.code, -signal.SIGKILL, name)
                for epoch in (3, 4):
                    self.assertEqual(len(self.good_keys(epochs, epoch, first, second)), 1, (name, hit, epoch))
                self.assertEqual(ckpt(*rekey).code, SAME)
                self.expect_all_under(epochs, second)


if __name__ == "__main__":
    unittest.main()
