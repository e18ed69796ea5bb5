"""Tars that no honest program writes, each named by its defect."""

from collections.abc import Callable

from ropewalk.oci import tar

END = bytes(2 * tar.BLOCK)


def raw(
    name: bytes, kind: bytes = tar.FILE, content: bytes = b"", *, link: bytes = b"", size: int | None = None
) -> bytes:
    """One entry as written, whatever it says."""
    header = tar.Header(name, kind, 0o644, size=len(content) if size is None else size, link=link)
    return tar.encode(header) + content + bytes(tar.padding(len(content)))


def pax(data: bytes, kind: bytes = tar.PAX) -> bytes:
    """An extended header with this content."""
    return raw(b"PaxHeaders/0", kind, data)


def patched(entry: bytes, offset: int, field: bytes) -> bytes:
    """An entry with other bytes in its first header and a checksum that fits."""
    block = entry[:offset] + field + entry[offset + len(field) : 512]
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:] + entry[512:]


def absolute_path() -> bytes:
    return raw(b"/etc/passwd", content=b"x") + END


def absolute_pax_path() -> bytes:
    return pax(b"20 path=/etc/passwd\n") + raw(b"harmless") + END


def dot_dot_leaves_the_root() -> bytes:
    return raw(b"usr/../../etc/passwd") + END


def dot_dot_inside() -> bytes:
    return raw(b"usr/../etc/passwd") + END


def empty_path() -> bytes:
    return raw(b"") + END


def nul_in_pax_path() -> bytes:
    return pax(b"15 path=a\0bbbb\n") + raw(b"harmless") + END


def component_too_long() -> bytes:
    return raw(b"a" * 256) + END


def path_too_long() -> bytes:
    return raw(b"/".join([b"a" * 200] * 21)) + END


def root_is_a_file() -> bytes:
    return raw(b"./", tar.SYMLINK, link=b"/etc") + END


def through_a_symlink() -> bytes:
    return raw(b"a", tar.SYMLINK, link=b"/etc") + raw(b"a/passwd", content=b"x") + END


def through_a_symlink_deeper() -> bytes:
    return raw(b"a", tar.SYMLINK, link=b"/etc") + raw(b"a/b/c/passwd", content=b"x") + END


def below_a_file() -> bytes:
    return raw(b"a", content=b"x") + raw(b"a/b", content=b"x") + END


def symlink_replaces_a_directory() -> bytes:
    return raw(b"a/b", content=b"x") + raw(b"a", tar.SYMLINK, link=b"/etc") + END


def hard_link_out_of_the_root() -> bytes:
    return raw(b"a", tar.HARDLINK, link=b"../../etc/shadow") + END


def hard_link_to_an_absolute_path() -> bytes:
    return raw(b"a", tar.HARDLINK, link=b"/etc/shadow") + END


def hard_link_out_of_the_layer() -> bytes:
    return raw(b"a", tar.HARDLINK, link=b"etc/shadow") + END


def hard_link_to_itself() -> bytes:
    return raw(b"a") + raw(b"a", tar.HARDLINK, link=b"a") + END


def hard_link_to_a_directory() -> bytes:
    return raw(b"d/", tar.DIRECTORY) + raw(b"a", tar.HARDLINK, link=b"d") + END


def hard_link_target_replaced() -> bytes:
    return raw(b"a", content=b"1") + raw(b"b", tar.HARDLINK, link=b"a") + raw(b"a", content=b"2") + END


def symlink_without_target() -> bytes:
    return raw(b"a", tar.SYMLINK) + END


def whiteout_of_nothing() -> bytes:
    return raw(b"etc/.wh.") + END


def whiteout_of_the_parent() -> bytes:
    return raw(b"etc/.wh...") + END


def whiteout_name_inside_a_path() -> bytes:
    return raw(b"etc/.wh.x/y") + END


def sparse_file() -> bytes:
    return pax(b"22 GNU.sparse.major=1\n") + raw(b"a", content=b"x") + END


def unknown_type() -> bytes:
    return raw(b"a", b"S") + END


def global_header_renames() -> bytes:
    return pax(b"15 path=passwd\n", tar.PAX_GLOBAL) + raw(b"a", content=b"x") + END


def wrong_checksum() -> bytes:
    entry = raw(b"a", content=b"x")
    return b"b" + entry[1:] + END


def negative_size() -> bytes:
    return patched(raw(b"a"), 124, b"\xff" * 12) + END


def size_with_letters() -> bytes:
    return patched(raw(b"a"), 124, b"0000000zzzz\0") + END


def size_with_underscores() -> bytes:
    return patched(raw(b"a"), 124, b"0000000_1_0\0") + END


def pax_size_with_a_sign() -> bytes:
    return pax(b"11 size=+1\n") + raw(b"a", content=b"x") + END


def pax_length_wrong() -> bytes:
    return pax(b"99 path=a\n") + raw(b"a") + END


def pax_length_zero() -> bytes:
    return pax(b"0 path=a\n") + raw(b"a") + END


def pax_without_equals() -> bytes:
    return pax(b"7 path\n") + raw(b"a") + END


def pax_time_is_none() -> bytes:
    return pax(b"13 mtime=now\n") + raw(b"a") + END


def pax_header_claims_ten_gigabytes() -> bytes:
    return raw(b"PaxHeaders/0", tar.PAX, size=10 << 30)


def file_claims_terabytes() -> bytes:
    return raw(b"a", size=8 << 40) + b"x" * 1024


def content_cut_off() -> bytes:
    return raw(b"a", content=b"x" * 5000)[:3000]


def header_cut_off() -> bytes:
    return raw(b"a")[:300]


def no_end_mark() -> bytes:
    return raw(b"a", content=b"x")


def entry_after_one_zero_block() -> bytes:
    return raw(b"a") + bytes(tar.BLOCK) + raw(b"b") + END


def nothing_at_all() -> bytes:
    return b""


def no_tar() -> bytes:
    return b"\x7fELF" + b"no tar" * 1000


HOSTILE: tuple[Callable[[], bytes], ...] = (
    absolute_path,
    absolute_pax_path,
    dot_dot_leaves_the_root,
    dot_dot_inside,
    empty_path,
    nul_in_pax_path,
    component_too_long,
    path_too_long,
    root_is_a_file,
    through_a_symlink,
    through_a_symlink_deeper,
    below_a_file,
    symlink_replaces_a_directory,
    hard_link_out_of_the_root,
    hard_link_to_an_absolute_path,
    hard_link_out_of_the_layer,
    hard_link_to_itself,
    hard_link_to_a_directory,
    hard_link_target_replaced,
    symlink_without_target,
    whiteout_of_nothing,
    whiteout_of_the_parent,
    whiteout_name_inside_a_path,
    sparse_file,
    unknown_type,
    global_header_renames,
    wrong_checksum,
    negative_size,
    size_with_letters,
    size_with_underscores,
    pax_size_with_a_sign,
    pax_length_wrong,
    pax_length_zero,
    pax_without_equals,
    pax_time_is_none,
    pax_header_claims_ten_gigabytes,
    file_claims_terabytes,
    content_cut_off,
    header_cut_off,
    no_end_mark,
    entry_after_one_zero_block,
    nothing_at_all,
    no_tar,
)
