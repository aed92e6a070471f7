"""One computing thread for each test process: several of them share the cores already."""

import os

# Before torch and OpenCV are imported: threads that wait for each other on a busy core make the
# tests up to ten times as slow. Processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
