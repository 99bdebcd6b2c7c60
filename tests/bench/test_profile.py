"""A profile names stages that exist, counts what was seen once, and comes from a real hub."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.spying import Sample, Seen, by_count, by_cpu, innermost, read
from bench.stages import THREADS, stage_of, thread_of

ROOT = Path(importlib.import_module("farthing").__file__ or "").parents[1]
PLACES = [
    name for thread in THREADS for names in thread.places.values() for name in names
]  # fmt: skip


def functions(tree, inside=""):
    for node in ast.walk(tree) if not inside else ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{inside}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from functions(node, f"{node.name}.")


@pytest.mark.parametrize("place", [name for name in PLACES if name.startswith("farthing/")])
def test_every_place_that_a_stage_names_is_in_the_code(place):
    file, _, function = place.partition(":")
    assert (ROOT / file).exists()
    if function:
        assert function in functions(ast.parse((ROOT / file).read_text()))


def test_the_innermost_place_that_is_named_says_the_stage():
    writer = thread_of("farthing-write_0")
    deciding = ("farthing/core/paying.py", "Authorise.plan")
    fetching = ("farthing/books/memory.py", "Working.prefetch")
    helper = ("farthing/store/sqlite_sets.py", "in_pieces")
    assert stage_of(writer, [deciding]) == "decide"
    assert stage_of(writer, [deciding, fetching]) == "prefetch (SQL)"
    assert stage_of(writer, [deciding, fetching, ("json.py", "dumps")]) == "prefetch (SQL)"
    assert (
        stage_of(writer, [("farthing/books/memory.py", "Working.prefetch_transfers")]) == "decide"
    )
    assert stage_of(writer, [helper]) == "write (SQL)"
    assert stage_of(writer, [("json.py", "dumps")]) == "the rest of the writer"
    assert stage_of(writer, [("farthing/corection.py", "x")]) == "the rest of the writer"


def test_a_place_inside_a_file_counts_before_the_file():
    writer = thread_of("farthing-write_0")
    assert (
        stage_of(writer, [("farthing/books/batch.py", "Batch._leaf")]) == "hash, and sign the head"
    )
    assert stage_of(writer, [("farthing/store/sqlite.py", "SqliteTx.run_many")]) == "write (SQL)"
    assert stage_of(writer, [("farthing/store/sqlite.py", "SqliteDatabase.transact")]) == (
        "commit and fsync"
    )


def test_what_is_defined_inside_a_function_belongs_to_it():
    writer = thread_of("farthing-write_0")
    inner = ("farthing/books/batch.py", "Batch._decide.<locals>.<listcomp>")
    assert stage_of(writer, [inner]) == "decide"


def test_threads_are_told_apart_by_their_names():
    named = ("MainThread", "farthing-write_0", "farthing-verify_1", "farthing-read_3")
    shown = [thread_of(name).shown for name in named]
    assert shown == ["event loop", "writer", "verifiers", "other threads"]


def test_stacks_are_read_as_py_spy_writes_them():
    line = (
        "thread (23500): farthing-write_0;_worker (concurrent/futures/thread.py:69);f (a b.py:1) 16"
    )
    calls = [("concurrent/futures/thread.py", "_worker"), ("a b.py", "f")]
    assert list(read([line])) == [Sample(23500, "farthing-write_0", calls, 16)]
    with pytest.raises(RuntimeError, match="not a stack"):
        list(read(["main (x.py:1) 3"]))


SEEN = Seen(
    [
        Sample(1, "MainThread", [("asyncio/runners.py", "Runner.run")], 30),
        Sample(1, "MainThread", [("farthing/web/strict_http.py", "StrictHttp.data_received")], 10),
        Sample(7, "farthing-verify_0", [("farthing/keys.py", "verify")], 5),
        Sample(8, "farthing-verify_1", [("farthing/keys.py", "verify")], 5),
    ],
    100,
)


def test_each_threads_cpu_time_is_shared_out_by_what_it_was_seen_doing():
    shared = by_cpu(SEEN, {1: 4.0, 7: 1.0, 8: 0.5})
    assert shared["event loop", "HTTP"] == 1.0
    assert shared["event loop", "sockets (uvloop), and waiting for them"] == 3.0
    assert shared["verifiers", "verify signatures"] == 1.5


def test_samples_of_a_stage_are_added_up():
    assert by_count(SEEN)["verifiers", "verify signatures"] == 10
    assert innermost(SEEN, 9) == [
        ("StrictHttp.data_received (farthing/web/strict_http.py)", 10),
        ("verify (farthing/keys.py)", 10),
    ]


def test_a_real_hub_is_seen_deciding_writing_and_verifying():
    command = [sys.executable, "-m", "bench.profile", "--json", "--only", "single-64"]
    command += ["--seconds", "1", "--devices", "5"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    told = json.loads(done.stdout)
    assert {"cpu", "python", "sqlite"} <= told["machine"].keys()
    [profile] = told["profiles"]
    assert (profile["name"], profile["engine"]) == ("single-64", "sqlite")
    assert sum(stage["holding_us"] for stage in profile["stages"]) > 0
    cpu = {stage["stage"]: stage["cpu_us"] for stage in profile["stages"]}
    assert cpu["decide"] > 0
    assert cpu["write (SQL)"] > 0
    assert cpu["verify lone signatures"] > 0
    assert cpu["messages of the hub"] > 0
    assert sum(cpu.values()) == pytest.approx(profile["cpu_us_each"], rel=0.15)
