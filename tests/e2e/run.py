"""run.py NAME...: tests of this folder, as unittest names them, for ctest. Where one was skipped and none failed, the
reason is the last line and the exit code 77, so that the row is seen to be skipped."""
import sys
import unittest

result = unittest.main(module=None, argv=sys.argv, verbosity=2, exit=False).result
for test, reason in result.skipped:
    print(f"skipped: {test.id()}: {reason}", flush=True)
sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
