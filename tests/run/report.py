"""What `cairn run --report DIR` leaves: trace.json, run.json and one page that shows what happened."""

import base64
import html.parser
import json
import os
import struct
import unittest
import zlib

from support import JobTest

FAULTS = "probe.step=kill,rank=1,hit=17,launch=0; probe.step=kill,rank=0,hit=4,launch=1"


def png(width=2, height=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"\x40\x80\xc0" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order; keeps classes, attributes and text."""

    VOID = {"meta", "img", "link", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs).get("class", "")))
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs).get("class", "")))
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text += data

    def count(self, tag, kind):
        return self.tags.count((tag, kind))


class Report(JobTest):
    def load(self, name):
        with open(os.path.join(self.folder, "report", name)) as file:
            return file.read()

    def run_with_report(self, *options, ranks=3, probe=("--every", "5"), **environment):
        return self.end(self.cairn("--report", os.path.join(self.folder, "report"), *options, ranks=ranks, probe=probe,
                                   **environment))

    def test_a_run_with_two_crashes(self):
        code, out, lines, _ = self.run_with_report("--restart-ranks", "3,2", CAIRN_FAILPOINTS=FAULTS)
        self.assertEqual((code, out), (0, "done 40 ranks 2 launch 2\n"))
        self.assertIn("report.html", lines[-1])

        run = json.loads(self.load("run.json"))
        self.assertEqual(run["exit_code"], 0)
        launches = run["launches"]
        self.assertEqual([launch["ranks"] for launch in launches], [3, 3, 2])
        self.assertEqual([launch["exit_code"] for launch in launches], [137, 137, 0])
        self.assertEqual([launch["first_rank_to_end"] for launch in launches[:2]], [1, 0])
        for before, after in zip(launches, launches[1:]):
            self.assertLess(before["ended"], after["began"])
        # launch 0 commits steps 5, 10, 15 and dies in its 17th; launch 1 commits nothing
        self.assertEqual([(epoch["launch"], epoch["step"]) for epoch in run["epochs"]],
                         [(0, 5), (0, 10), (0, 15)] + [(2, step) for step in range(20, 41, 5)])
        for epoch in run["epochs"]:
            self.assertTrue(0.04 < epoch["seconds"] < 2, epoch)
        self.assertEqual([restore["launch"] for restore in run["restores"]], [1, 2])
        self.assertEqual([lost["launch"] for lost in run["lost"]], [0, 1])
        for lost in run["lost"]:  # one or three steps of 20 ms and more; a death, a pause, a start
            self.assertTrue(0.01 < lost["redone_seconds"] < 2, lost)
            self.assertTrue(0.2 < lost["restart_seconds"] < 15, lost)

        events = json.loads(self.load("trace.json"))["traceEvents"]
        self.assertEqual({event["pid"] for event in events}, {0, 1, 2})

        text = self.load("report.html")
        page = Page(text)
        self.assertIn("Finished, after 2 restarts", page.text)
        self.assertEqual(page.count("g", "death"), 2)
        self.assertEqual(page.count("g", "epoch"), 8)
        self.assertEqual(page.count("rect", "redone"), 3)  # and one in the legend
        self.assertEqual(page.count("rect", "launch crashed"), 2)
        self.assertIn("probe.steps_per_second", page.text)
        self.assertIn("rank 1 died", page.text)
        self.expect_self_contained(page)

    def expect_self_contained(self, page):
        self.assertFalse({tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"})
        for name, value in page.attributes:
            if name in ("src", "href", "xlink:href"):
                self.assertTrue(value.startswith("data:"), value)

    def test_an_undisturbed_run_with_a_picture(self):
        picture = os.path.join(self.folder, "field.png")
        with open(picture, "wb") as file:
            file.write(png())
        self.assertEqual(self.run_with_report("--report-picture", picture, ranks=1)[0], 0)
        page = Page(self.load("report.html"))
        self.assertIn("Finished without a fault", page.text)
        self.assertNotIn("lost to faults", page.text)
        source = dict(page.attributes)["src"]
        self.assertEqual(base64.b64decode(source.removeprefix("data:image/png;base64,")), png())

    def test_verdicts(self):
        for options, code, words in ((("--code", "65"), 65, "Ended with an error (exit code 65)"),
                                     (("--code", "75"), 75, "Stopped on request"),
                                     (("--code", "130"), 130, "Stopped by Ctrl-C")):
            self.assertEqual(self.run_with_report(ranks=1, probe=("--steps", "2", *options))[0], code)
            self.assertIn(words, Page(self.load("report.html")).text)
        self.assertEqual(self.run_with_report("--max-restarts", "1", ranks=1, CAIRN_FAILPOINTS="probe.step=kill")[0], 137)
        page = Page(self.load("report.html"))
        self.assertIn("Gave up after 1 restart: signal 9 (Killed)", page.text)

    def test_a_report_that_cannot_be_finished_does_not_change_the_verdict(self):
        picture = os.path.join(self.folder, "field.png")
        with open(picture, "w") as file:
            file.write("no picture")
        code, out, lines, _ = self.run_with_report("--report-picture", picture, ranks=1, probe=("--steps", "1"))
        self.assertEqual((code, out), (0, "done 1 ranks 1 launch 0\n"))
        self.assertIn("no report: ", lines[-1])
        self.assertIn("is not a PNG file", lines[-1])
        os.remove(picture)
        for make, remove in ((os.mkdir, os.rmdir), (os.mkfifo, os.remove)):
            with self.subTest(make=make):
                make(picture)
                code, _, lines, _ = self.run_with_report("--report-picture", picture, ranks=1, probe=("--steps", "1"))
                self.assertEqual(code, 0)
                self.assertIn("is not a file", lines[-1])
                remove(picture)


if __name__ == "__main__":
    unittest.main()
