"""The figures of the process itself, which every such page has under the same names."""

PROCESS = {
    "process_virtual_memory_bytes": "Memory that is mapped",
    "process_resident_memory_bytes": "Memory that is used",
    "process_start_time_seconds": "When it was started, in Unix seconds",
    "process_cpu_seconds_total": "Time of processors that it took",
    "process_open_fds": "Files and sockets that are open",
    "process_max_fds": "How many may be",
}
"""What each means, for people; Linux tells them, other systems tell fewer."""
