"""`cairn ckpt` used wrongly, and on directories that are not what they should be: one line, the documented code.

usage: wrong.py CAIRN WRITE_FIELDS CAIRN_HEAT READ_XDMF MPIEXEC
"""

import os
import shutil
import unittest

from support import (BAD_DATA, NO_INPUT, SAME, USAGE, CkptTest, ckpt, contents, data_file, flip, record_file,
                     rewrite_record)

COMMANDS = ("ls", "show", "verify", "diff", "prune", "export")


class Usage(CkptTest):
    def test_words(self):
        for words, said in ((["show", self.epochs, "two"], "'two' is not the number of an epoch"),
                            (["show", self.epochs, "-1"], "unknown option"),
                            (["verify", self.epochs, "1x"], "'1x' is not the number of an epoch"),
                            (["diff", f"{self.epochs}:new", self.epochs], "'new' is not the number of an epoch"),
                            (["diff", self.epochs], "too few arguments: A B wanted"),
                            (["ls"], "too few arguments: DIR wanted"),
                            (["ls", self.epochs, "1"], "unexpected argument '1': DIR wanted"),
                            (["ls", "--jsno", self.epochs], "did you mean '--json'?"),
                            (["prune", self.epochs], "how many epochs to keep?"),
                            (["prune", self.epochs, "--keep", "0"], "--keep: 0 is less than 1"),
                            (["prune", self.epochs, "--keep", "-3"], "--keep: -3 is less than 1"),
                            (["prune", self.epochs, "--keep", "many"], "'many' is not an integer"),
                            (["export", self.epochs], "where to?"),
                            (["export", self.epochs, "--slice", "0=1", "out.h5"], "--slice is for pictures"),
                            (["export", self.epochs, "--png", "out.png"], "choose it by --field"),
                            (["export", self.epochs, "--field", "v", "out.h5"], "has no field 'v'; it has: int8, ")):
            with self.subTest(words=words):
                before = contents(self.epochs)
                ended = ckpt(*words)
                self.expect(ended, USAGE, said)
                self.assertEqual(ended.out, "")
                self.assertEqual(contents(self.epochs), before)
        self.assertEqual((ckpt().code, ckpt("rekey").code), (USAGE, USAGE))
        self.assertIn("which command? (cairn ckpt --help lists all)", ckpt().err)

    def test_help_needs_no_directory(self):
        for words in ([], *([command] for command in COMMANDS)):
            ended = ckpt(*words, "--help")
            self.assertEqual((ended.code, ended.err), (SAME, ""))
            self.assertIn("Usage: cairn ckpt", ended.out)

    def test_version(self):
        for words in ([], *([command] for command in COMMANDS)):
            ended = ckpt(*words, "--version")
            self.assertEqual((ended.code, ended.err), (SAME, ""))
            self.assertRegex(ended.out, r"\Acairn ckpt( \w+)? \(Cairn\) \d+\.\d+\.\d+\n\Z")

    def test_pictures_of_what_has_not_two_axes(self):
        for field, slices, said in (("int8", [], "has 1 axes (1000)"), ("int64", ["0=1"], "has 4 axes"),
                                    ("int16", ["0=1"], "of which 1 is sliced"), ("empty", [], "is empty"),
                                    ("group/int32", ["3=0"], "has axes 0 to 2"),
                                    ("group/int32", ["0=7"], "axis 0 of field 'group/int32' has 7 indices"),
                                    ("group/int32", ["x=7"], "is not AXIS=INDEX"), ("group/int32", ["0=1,"], "is not AXIS"),
                                    ("group/int32", ["0=-1"], "is not AXIS=INDEX"), ("group/int32", ["1"], "is not AXIS")):
            with self.subTest(field=field, slices=slices):
                ended = ckpt("export", self.epochs, "--field", field, *(f"--slice={each}" for each in slices), "--png",
                             self.folder / "out.png")
                self.expect(ended, USAGE, said)
                self.assertFalse((self.folder / "out.png").exists())

    def test_an_export_spares_the_checkpoints(self):
        before = contents(self.epochs)
        for name in ("epoch-0000000001.h5", "epoch-0000000009.h5", "epoch-0000000001.record", "lock", "journal", "job.3"):
            for words in ([self.epochs / name], ["--field", "int16", "--png", self.epochs / name]):
                self.expect(ckpt("export", self.epochs, *words), USAGE, "checkpoint directory's own")
        os.symlink(data_file(self.epochs, 1), self.folder / "link.h5")
        self.expect(ckpt("export", self.epochs, self.folder / "link.h5"), USAGE, "checkpoint directory's own")
        self.expect(ckpt("export", self.epochs, self.folder), USAGE, "is not a file")
        self.expect(ckpt("export", self.epochs, "/dev/null"), USAGE, "is not a file")
        self.expect(ckpt("export", self.epochs, self.folder / "nowhere/out.h5"), NO_INPUT, "nowhere/out.h5")
        self.assertEqual(contents(self.epochs), before)

    def test_an_export_spares_a_file_of_a_similar_name(self):
        similar = self.folder / "out.h5.tmp"
        similar.write_text("of a user")
        self.expect(ckpt("export", self.epochs, self.folder / "out.h5"), SAME)
        self.assertEqual(similar.read_text(), "of a user")


class Directories(CkptTest):
    def words(self, command, directory):
        return {"diff": [directory, self.other], "prune": [directory, "--keep", "1"],
                "export": [directory, self.folder / "out.h5"]}.get(command, [directory])

    def test_missing_and_not_a_directory(self):
        file = self.folder / "file"
        file.write_text("text")
        for command in COMMANDS:
            for directory in (self.folder / "nowhere", file):
                with self.subTest(command=command, directory=directory):
                    self.expect(ckpt(command, *self.words(command, directory)), NO_INPUT, str(directory))
        self.expect(ckpt("diff", f"{self.folder}/nowhere:1", self.epochs), NO_INPUT, "nowhere")
        self.assertFalse((self.folder / "nowhere").exists())

    def test_no_epochs_and_foreign_files(self):
        empty = self.folder / "empty"
        (empty / "epoch-0000000007").mkdir(parents=True)
        for name in ("epoch-7.record", "epoch-0000000007.h5.bak", "epoch-.record", "epoch-99999999999999999999.record",
                     "notes.txt", "epoch-0000000007.record~"):
            (empty / name).write_text("foreign")
        before = {path.name for path in empty.iterdir()}
        for command in COMMANDS:
            ended = ckpt(command, *self.words(command, empty))
            if command == "ls":
                self.assertEqual((ended.code, ended.out, ended.err), (SAME, f"no epochs in {empty}\n", ""))
            else:
                self.expect(ended, NO_INPUT, f"no epochs in {empty}")
        self.assertEqual(ckpt("ls", "--json", empty).json(), {"directory": str(empty), "epochs": []})
        self.assertEqual({path.name for path in empty.iterdir()}, before)  # no lock file either

    def test_an_epoch_that_is_not_there(self):
        for words in (["show", self.epochs, 3], ["verify", self.epochs, 3], ["verify", self.epochs, 1, 0],
                      ["diff", f"{self.epochs}:3", self.other], ["export", f"{self.epochs}:3", self.folder / "o.h5"]):
            with self.subTest(words=words):
                self.expect(ckpt(*words), NO_INPUT, f"{self.epochs} has no epoch")

    def test_a_folder_with_a_colon_in_its_name(self):
        odd = self.folder / "a:1"
        shutil.copytree(self.epochs, odd)
        self.expect(ckpt("diff", odd, f"{odd}:2"), SAME)


class Records(CkptTest):
    def expect_damaged(self, why):
        """Epoch 2 is damaged: ls and verify say so, and to name 2 is an error."""
        ended = ckpt("ls", self.epochs)
        self.assertEqual((ended.code, ended.err), (SAME, ""))
        newest = ended.out.splitlines()[-1]
        self.assertIn("damaged: ", newest)
        self.assertIn(why, newest)
        self.assertEqual(len(ended.out.splitlines()), 3)
        self.expect(ckpt("show", self.epochs, 2), BAD_DATA, why)
        self.expect(ckpt("verify", self.epochs), BAD_DATA, f"1 of 2 epochs in {self.epochs} is damaged")

    def expect_passed_over(self, why):
        """Epoch 1 is taken with a warning instead, and is not removed."""
        entry = ckpt("ls", "--json", self.epochs).json()["epochs"][-1]
        self.assertEqual(entry["verdict"], "damaged")
        self.assertIn(why, entry["why"])
        shown = ckpt("show", "--json", self.epochs)
        self.assertEqual((shown.code, shown.json()["epoch"], shown.err.count("\n")), (SAME, 1, 1))
        self.assertIn("warning: taking epoch 1: epoch 2 is damaged", shown.err)
        self.expect(ckpt("diff", f"{self.epochs}:2", self.other), BAD_DATA, why)
        self.expect(ckpt("export", f"{self.epochs}:2", self.folder / "out.h5"), BAD_DATA, why)
        before = contents(self.epochs)
        pruned = ckpt("prune", self.epochs, "--keep", 1)
        self.assertEqual((pruned.code, pruned.out), (SAME, ""))
        self.assertIn("epoch 2 is damaged and does not count", pruned.err)
        self.assertEqual(contents(self.epochs), before)  # the only good one stays

    def test_garbage(self):
        record, whole = record_file(self.epochs, 2), record_file(self.epochs, 2).read_bytes()
        for garbage, why in ((b"", "it is not an epoch record"), (b"\0\xff" * 4000, "it is not an epoch record"),
                             (whole[:500], "its digest does not fit"), (b"cairn-epoch-record 1", "it is truncated")):
            with self.subTest(garbage=garbage[:30]):
                record.write_bytes(garbage)
                self.expect_damaged(why)
        self.expect_passed_over(why)

    def test_no_files_in_the_place_of_files(self):
        record_file(self.epochs, 2).unlink()
        os.mkfifo(record_file(self.epochs, 2))
        self.expect_damaged("it is not a file")
        record_file(self.epochs, 2).unlink()
        record_file(self.epochs, 2).mkdir()
        self.expect_damaged("it is not a file")

    def test_data_that_does_not_fit(self):
        os.truncate(data_file(self.epochs, 2), 1000)
        self.expect_damaged("has 1000 bytes instead of")
        self.expect_passed_over("has 1000 bytes instead of")
        data_file(self.epochs, 2).unlink()
        self.expect_damaged("does not exist")

    def test_records_with_a_good_digest_that_lie(self):
        record, whole = record_file(self.epochs, 2), record_file(self.epochs, 2).read_bytes()
        lies = {"another directory": lambda body: body.update(data_file="../epochs/epoch-0000000002.h5"),
                "which is not its own": lambda body: body.update(data_file="epoch-0000000001.h5"),
                "the record of another epoch": lambda body: body.update(epoch=1),
                "it is malformed": lambda body: body.pop("fields"),
                "has no digest of bytes": lambda body: body["structure"].pop(),
                "has two digests of bytes": lambda body: body["structure"].append(body["structure"][0]),
                "outside the data file": lambda body: body["fields"][0].update(offset_bytes=1 << 60),
                "do not cover it": lambda body: body["fields"][0]["parts"].pop()}
        for why, lie in lies.items():
            with self.subTest(why=why):
                record.write_bytes(whole)
                rewrite_record(record, lie)
                self.expect_damaged(why)

    def test_a_record_of_a_later_format_is_not_damage(self):
        record = record_file(self.epochs, 2)
        record.write_bytes(record.read_bytes().replace(b"record 1 ", b"record 5 ", 1))
        self.assertIn("unreadable: ", ckpt("ls", self.epochs).out.splitlines()[-1])
        before = contents(self.epochs)
        for words in (["show", self.epochs], ["verify", self.epochs], ["verify", self.epochs, 2],
                      ["prune", self.epochs, "--keep", 1], ["diff", f"{self.epochs}:2", self.other]):
            self.expect(ckpt(*words), USAGE, "version 5 of the format")
        self.assertEqual(contents(self.epochs), before)
        self.expect(ckpt("verify", self.epochs, 1), SAME)

    def test_all_damaged(self):
        for epoch in (1, 2):
            flip(record_file(self.epochs, epoch), 800)
        self.expect(ckpt("show", self.epochs), BAD_DATA, "no good epoch in", "epoch 2 is damaged", "epoch 1 is damaged")
        self.expect(ckpt("verify", self.epochs), BAD_DATA, "2 of 2 epochs")


if __name__ == "__main__":
    unittest.main()
