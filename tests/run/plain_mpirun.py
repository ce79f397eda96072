"""What signals do to a program under plain mpirun, without `cairn run`. The table stands in apps/cairn/README.md."""

import os
import signal
import time
import unittest

from support import PROBE, JobTest

os.environ.pop("OMPI_MCA_odls_base_sigkill_timeout", None)  # as users have it


class PlainMpirun(JobTest):
    def launch(self, *probe):
        return self.start(["mpirun", "-n", "3", PROBE, "--file", self.file, "--steps", "4000", *probe])

    def test_a_signal_to_one_rank_is_one_epoch_of_all(self):
        for number, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
            with self.subTest(signal=number):
                process = self.launch()
                os.kill(self.ranks()[2], number)
                self.assertEqual(self.end(process)[0], code)
                self.assertGreater(self.saved_step(), 0)
                self.expect_nothing_left()
                os.remove(self.file)
                os.remove(self.file + ".jobs")

    def test_sigusr1_to_mpirun_is_forwarded(self):
        process = self.launch("--save-seconds", "3")
        self.ranks()
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(self.end(process)[0], 75)
        self.assertGreater(self.saved_step(), 0)

    def test_sigterm_and_ctrl_c_to_mpirun_leave_a_second(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                process = self.launch("--save-seconds", "0.1")
                self.ranks()
                began = time.monotonic()
                process.send_signal(number)
                self.assertEqual(self.end(process)[0], 1)  # mpirun's own code, whatever the ranks say
                self.assertLess(time.monotonic() - began, 12)
                self.assertGreater(self.saved_step(), 0)
                self.expect_nothing_left()
                os.remove(self.file)
                os.remove(self.file + ".jobs")


if __name__ == "__main__":
    unittest.main()
