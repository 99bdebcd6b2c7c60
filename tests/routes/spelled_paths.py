"""Other spellings of a path, and request targets that are no plain path."""

from collections.abc import Iterator

from .spelling import GOLD, PAGE, Spelling

MARKS = b"%E2%80%8B %C2%AD %EF%BB%BF %E2%80%AE %CC%81 %EF%B8%8F".split()
ENDS = [
    *b"/ // /. /./ /.. . .. ... %20 %20. .%20 %09 %00 %0A %0D %0D%0A %7F %80 %FF %C2%A0".split(),
    *b"; ;x ;x=1 %3B %3Bx /; ;/ ? ?x %3F %3Fx # #x %23 %23x %2E /%2E /x/.. /x/%2E%2E".split(),
    *b".json .html .css .JSON ~ ::$DATA :x %3A%3A$DATA %00.txt /%2E%2E/x * % %2 %zz &x ,x".split(),
    *b"= ! $ ' + @ | \\ %5C %2F %252F %2F%2E %2f%2f /%2F %2B %40x %EF%BC%8F %E2%88%95".split(),
    *b"%u002F %C0%AF %E0%80%AF".split(),
    *(b" ", b"\t", b"\x00", b"\xc2\xa0"),
]
STARTS = [
    *b"// /// /./ /%2E/ /%2e/ /x/../ /x/%2E%2E/ /x/%2e./ /x/.%2E/ /x/..%2F /x%2F..%2F".split(),
    *b"/x/..%5C /x/..\\ \\ /\\ /%5C /%2F /%252F /x/%252E%252E/ /x/..;/ /..;/ /;/ /;x/".split(),
    *b"/../ /%2E%2E/ /../../ /%C0%AE%C0%AE/ /x/%C0%AE%C0%AE/ /%00/ /%EF%BC%8E%EF%BC%8E/".split(),
    *b"/x/%E2%80%A5/ /%EF%BC%8F /free/../ /free//../ /free/..// /free/%2E./ /free;/../".split(),
    *b"/free?/../ /free#/../ /free%23/../ /free%3F/../ /free/..%00/ /free/..%C0%AF".split(),
    *b"/%20/../ /. /%20 /%09 /%00 /~/ /*/../ /free%0D%0A/../ //shop.example/ //x/../".split(),
    *b"/http://shop.example/ /%68ttp:/".split(),
    b"/ ",
]
ORIGINS = [
    *b"http://shop.example https://shop.example HTTP://SHOP.EXAMPLE http://other".split(),
    *b"http://shop.example:80 http://u:p@shop.example http://shop.example@other".split(),
    *b"http:// http: http:/ ws://shop.example file:// ftp://shop.example //shop.example".split(),
    *b"shop.example shop.example:80 http://shop.example/free/.. http://shop.example?x=".split(),
    *b"http://shop.example# http://shop.example/free# javascript: * ? # . ..".split(),
    *b"http://[::1] http://[::1".split(),
    *(b"", b" "),
]


def encoded(text: bytes, form: bytes = b"%%%02X") -> bytes:
    """Write every byte as hexadecimal digits."""
    return b"".join(form % byte for byte in text)


def letters(name: bytes) -> Iterator[bytes]:
    """Spell a name by other codes for its letters."""
    first, rest = name[:1], name[1:]
    code = first[0]
    yield from (encoded(name), encoded(name, b"%%%02x"), encoded(b"/" + name))
    for form in (b"%%%02X", b"%%%02x", b"%%25%02X", b"%%2525%02X", b"%%u00%02X", b"%%U00%02X"):
        yield encoded(first, form) + rest
    too_long = bytes([0xC0 | code >> 6, 0x80 | code & 63]), bytes([0xE0, 0x81, 0x80 | code & 63])
    look_alikes = (chr(code + 0xFEE0), chr(0x1D41A + code - 97), chr(0x24D0 + code - 97))
    for raw in (*too_long, *(char.encode() for char in look_alikes)):
        yield from (encoded(raw) + rest, raw + rest)
    yield b"%" + rest
    for mark in MARKS:
        yield from (first + mark + rest, mark + name, name + mark)
    yield from (name.upper(), name.title(), name.swapcase(), rest, first + first + rest)


def paths(base: bytes) -> Iterator[bytes]:
    """Spell one path."""
    folder, _, last = base.rpartition(b"/")
    for name in letters(base[1:]):
        yield b"/" + name
    for end in ENDS:
        yield base + end
    for start in STARTS:
        yield start + base[1:]
    for between in (b"//", b"/./", b"/x/../", b"%2F", b"%5C", b"/%2E/", b";/", b"%2f/", b"\\"):
        yield folder + between + last


def targets(base: bytes) -> Iterator[bytes]:
    """Write targets that are no plain path."""
    for origin in ORIGINS:
        yield origin + base
    yield from (base[1:], b"*", b"**", b"shop.example:80", b"?" + base, b"#" + base, b"/?" + base)


def by_path() -> Iterator[Spelling]:
    """Ask for both pages by every spelling."""
    for base in (PAGE, GOLD):
        for target in dict.fromkeys([*paths(base), *targets(base)]):
            yield Spelling(f"GET {target!r}", target=target)
    for target in (b"/free/../paid", b"http://other/paid", b"/PAID", b"/paid/", b"/%2570aid"):
        yield Spelling(f"HEAD {target!r}", method=b"HEAD", target=target)
