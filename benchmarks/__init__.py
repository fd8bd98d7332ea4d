"""Speed, side by side with peers in one run: `python -m benchmarks` writes RESULTS.md."""
