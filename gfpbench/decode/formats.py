"""Which image formats are read, by which suffixes they are found, and why the others are not."""

from __future__ import annotations

from functools import cache

FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".bw"),
    "PCX": (".pcx",),
    "TGA": (".tga",),
}
"""What Pillow calls a format, and its suffixes. Pillow tries no other decoder, whatever a file says it is: some of them
start other programs (EPS), and some know no signature by which content could be told from any other."""

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
READ = ", ".join(FORMATS)
LOOKED_FOR = f".png, .jpg or any other suffix of {READ}"

_HEIC = "HEIC, which Pillow reads with a plugin only: convert to PNG"
_JXL = "JPEG XL, which Pillow reads with a plugin only: convert to PNG"
_RAW = "a camera's raw file: develop it to PNG or TIFF"
_DRAWN = "a drawing or document that another program would have to draw: export as PNG"
_LAYERS = "an editor's file of layers: export as PNG"
_HDR = "high dynamic range, for which there is no convention of 8 bits: convert to PNG"
_VIDEO = "a video: extract its frames as PNG"
_OTHER = "another image format that is not read: convert to PNG"
NO_SUFFIX = "no suffix, so it is not known for an image"
NO_IMAGE = "not an image by its suffix"
HIDDEN = "hidden (a name that starts with a dot)"

NOT_READ = {
    **dict.fromkeys((".heic", ".heif", ".heics", ".hif"), _HEIC),
    ".jxl": _JXL,
    **dict.fromkeys(
        (
            ".arw",
            ".cr2",
            ".cr3",
            ".crw",
            ".dng",
            ".nef",
            ".nrw",
            ".orf",
            ".pef",
            ".raf",
            ".raw",
            ".rw2",
            ".sr2",
            ".srw",
        ),
        _RAW,
    ),
    **dict.fromkeys((".ai", ".emf", ".eps", ".pdf", ".ps", ".svg", ".svgz", ".wmf"), _DRAWN),
    **dict.fromkeys((".kra", ".ora", ".psb", ".psd", ".xcf"), _LAYERS),
    **dict.fromkeys((".exr", ".hdr"), _HDR),
    **dict.fromkeys((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"), _VIDEO),
    **dict.fromkeys(
        (
            *(".bpg", ".cur", ".dcm", ".dcx", ".dds", ".fit", ".fits", ".flif", ".icns", ".ico", ".im", ".jng", ".jxr"),
            *(".mng", ".pam", ".pcd", ".pict", ".ras", ".rgb", ".rgba", ".sun", ".wdp", ".xbm", ".xpm"),
        ),
        _OTHER,
    ),
}
"""Suffixes of images that are not read, with the reason. Any other suffix is no image's."""

_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_BRANDS = {  # of an ISO base media file, in its bytes 8 to 12
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"isom", b"mp41", b"mp42", b"qt  ", b"avc1", b"M4V "), _VIDEO),
    b"crx ": _RAW,
}
_SIGNATURES = (
    (b"\xff\x0a", _JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _JXL),
    (b"%!PS", _DRAWN),
    (b"\xc5\xd0\xd3\xc6", _DRAWN),
    (b"%PDF", _DRAWN),
    (b"<svg", _DRAWN),
    (b"8BPS", _LAYERS),
    (b"gimp xcf", _LAYERS),
    (b"v/1\x01", _HDR),
    (b"#?RADIANCE", _HDR),
)


@cache
def readable() -> tuple[str, ...]:
    """The formats that the installed Pillow knows. TGA apart: see ``offered``."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN and name != "TGA")


def offered(data: bytes) -> tuple[str, ...]:
    """What Pillow may try on these bytes. TGA begins with nothing of its own: it is known by the footer it may have."""
    return ("TGA",) if data.endswith(_TGA_FOOTER) else readable()


def why_not_read(data: bytes) -> str:
    """What the bytes of a file are that no decoder here takes, as far as its first bytes tell."""
    if data[4:8] == b"ftyp" and data[8:12] in _BRANDS:
        return f"is {_BRANDS[data[8:12]]}"
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            return f"is {what}"
    return f"cannot be decoded: it is no image of a kind that is read ({READ}), whatever its name says, or is damaged"


def why_left_out(name: str) -> str | None:
    """Why a file of this name is not taken for an image; None where it is. All suffixes count in any case."""
    if name.startswith("."):
        return HIDDEN
    suffix = suffix_of(name)
    if suffix in SUFFIXES:
        return None
    return NOT_READ.get(suffix, NO_IMAGE) if suffix else NO_SUFFIX


def suffix_of(name: str) -> str:
    """``.jpg`` of ``a.b.JPG``: what follows the last dot, in lower case; empty where there is none."""
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if dot and stem and end else ""
