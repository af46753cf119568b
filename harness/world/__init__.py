"""Everything outside the implementation in one run, built from a plan: people, devices, tools, faults."""
