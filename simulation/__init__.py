"""A hub, its devices, their clocks, disk and network in one thread, replayed exactly by a seed."""
