"""What the gateway costs, measured beside a direct call, nginx and Go in the same run: `python -m benchmarks`."""
