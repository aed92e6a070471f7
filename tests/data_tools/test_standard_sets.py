"""Standard sets: fetched with resume from a local server, checked, unpacked, listed."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from dataclasses import replace

import pytest
from PIL import Image

from data_tools.catalogue import read_catalogue
from data_tools.cli import main
from data_tools.standard_sets import STANDARD_SETS, install, require_md5
from oldphoto.checks import InputError
from oldphoto.system.outputs import HIDDEN

# isort: split
import torchvision.datasets  # data_tools.standard_sets made it loadable


def photo_bytes(number: int) -> bytes:
    """Return a small JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (number, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def tar_bytes(names: list[str], mode: str) -> bytes:
    """Return a tar archive with a photo, or a line of text, under each name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for number, name in enumerate(names):
            content = (
                photo_bytes(number) if name.lower().endswith("eg") or "jpg" in name else b"1\n"
            )
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def voc_bytes(year: str) -> bytes:
    """Return an archive with the folders of Pascal VOC and two photos."""
    base = f"VOCdevkit/VOC{year}"
    lists = [f"{base}/ImageSets/Main/trainval.txt"]
    notes = [f"{base}/Annotations/1.xml"]
    return tar_bytes([f"{base}/JPEGImages/{n}.jpg" for n in (1, 2)] + lists + notes, "w")


def div2k_bytes() -> bytes:
    """Return an archive with two photos in the folder of DIV2K."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in (801, 802):
            file.writestr(f"DIV2K_valid_HR/0{number}.png", photo_bytes(number % 256))
    return buffer.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves one file at every path; breaks off the first answers where ``cuts`` says so."""

    def __init__(self, content: bytes, cuts: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges = content, cuts, []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = self.server.content[start:]
        self.send_response(206 if wanted else 200)
        size = len(self.server.content)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)
        self.close_connection = True


@pytest.fixture
def serve():
    servers = []

    def start(content: bytes, cuts: tuple[int, ...] = ()) -> Server:
        servers.append(Server(content, list(cuts)))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def local_set(name: str, content: bytes, server: Server, num_photos: int = 2):
    """Return a standard set whose archive is ``content`` on the local server."""
    real = STANDARD_SETS[name]
    sha256 = hashlib.sha256(content).hexdigest() if real.remote.sha256 else ""
    md5 = hashlib.md5(content).hexdigest() if real.md5 else ""
    url = f"http://127.0.0.1:{server.server_address[1]}/{real.remote.path}"
    remote = replace(real.remote, urls=(url,), sha256=sha256)
    return replace(real, remote=remote, md5=md5, num_photos=num_photos)


@pytest.mark.parametrize("year", ["2007", "2012"])
def test_voc_is_resumed_after_a_cut_then_checked_and_unpacked_by_torchvision(
    tmp_path, serve, monkeypatch, year
):
    content = voc_bytes(year)
    server = serve(content, cuts=(3000,))
    chosen = local_set(f"voc{year}", content, server)
    table = torchvision.datasets.voc.DATASET_YEAR_DICT
    monkeypatch.setitem(table, year, table[year] | {"md5": chosen.md5})
    photos = install(chosen, tmp_path)
    assert [path.name for path in sorted(photos.glob("*.jpg"))] == ["1.jpg", "2.jpg"]
    assert server.ranges == ["", "bytes=3000-"]
    rows = read_catalogue(photos / "catalogue.csv")
    assert [(row.path, row.width, row.height) for row in rows] == [
        ("1.jpg", 40, 30),
        ("2.jpg", 40, 30),
    ]
    assert rows[0].sha256 == hashlib.sha256(photo_bytes(0)).hexdigest()
    assert "Flickr" in rows[0].licence
    assert rows[0].source == f"Pascal VOC {year}"


def test_imagenette_is_unpacked_by_torchvision(tmp_path, serve, monkeypatch):
    names = [f"imagenette2-320/{part}/n01440764/{part}.JPEG" for part in ("train", "val")]
    content = tar_bytes(names, "w:gz")
    chosen = local_set("imagenette", content, serve(content))
    archives = torchvision.datasets.Imagenette._ARCHIVES
    monkeypatch.setitem(archives, "320px", (archives["320px"][0], chosen.md5))
    monkeypatch.setattr(
        torchvision.datasets.Imagenette, "_WNID_TO_CLASS", {"n01440764": ("tench", "Tinca tinca")}
    )
    mine = tmp_path / "imagenette2-320" / "mine.jpg"
    mine.parent.mkdir()
    mine.write_bytes(photo_bytes(9))
    assert len(list(install(chosen, tmp_path).rglob("*.JPEG"))) == 2
    assert (tmp_path / "imagenette2-320_2" / "mine.jpg").read_bytes() == photo_bytes(9)
    assert not mine.exists() and not (tmp_path / "unpacking").exists()


def test_div2k_is_unpacked_and_a_second_call_asks_for_nothing(tmp_path, serve):
    content = div2k_bytes()
    server = serve(content)
    chosen = local_set("div2k-valid", content, server)
    install(chosen, tmp_path)
    install(chosen, tmp_path)
    assert len(server.ranges) == 1


def test_half_unpacked_set_is_unpacked_again_without_a_download(tmp_path, serve):
    content = div2k_bytes()
    server = serve(content)
    chosen = local_set("div2k-valid", content, server)
    photos = install(chosen, tmp_path)
    (photos / "0801.png").unlink()
    (photos / "0802.png").write_bytes(b"retouched")
    killed = tmp_path / HIDDEN / "new-unpacking" / "half.png"
    killed.parent.mkdir()
    killed.touch()
    (tmp_path / "unpacking").mkdir()
    (tmp_path / "unpacking" / "mine.png").touch()
    install(chosen, tmp_path)
    assert not killed.parent.exists() and (tmp_path / "unpacking" / "mine.png").exists()
    assert (photos / "0801.png").is_file()
    assert (tmp_path / "DIV2K_valid_HR_2" / "0802.png").read_bytes() == b"retouched"
    assert len(server.ranges) == 1


def test_wrong_content_is_refused(tmp_path, serve):
    content = voc_bytes("2012")
    chosen = local_set("voc2012", content, serve(content))
    with pytest.raises(InputError, match="should have the MD5 0000 and has"):
        install(replace(chosen, md5="0000"), tmp_path)
    other = local_set("div2k-valid", content, serve(content))
    with pytest.raises(InputError, match="not a zip file"):
        install(other, tmp_path)


def test_wrong_number_of_photos_is_refused(tmp_path, serve):
    content = div2k_bytes()
    with pytest.raises(InputError, match=r"expected 3 photos in .* found 2"):
        install(local_set("div2k-valid", content, serve(content), num_photos=3), tmp_path)


def test_archive_that_cannot_be_unpacked_is_one_sentence(tmp_path, serve):
    content = b"VOCdevkit: not a tar archive at all"
    chosen = replace(
        local_set("voc2012", content, serve(content)),
        unpack=lambda folder: (folder / "no").read_bytes(),
    )
    with pytest.raises(InputError, match="cannot be unpacked"):
        install(chosen, tmp_path)


def test_checksums_and_addresses_are_those_of_torchvision():
    for year in ("2007", "2012"):
        known = torchvision.datasets.voc.DATASET_YEAR_DICT[year]
        ours = STANDARD_SETS[f"voc{year}"]
        assert ours.md5 == known["md5"]
        assert ours.remote.path == known["filename"]
        assert ours.photos == f"{known['base_dir']}/JPEGImages".replace("\\", "/")
    url, md5 = torchvision.datasets.Imagenette._ARCHIVES["320px"]
    assert (STANDARD_SETS["imagenette"].remote.urls, STANDARD_SETS["imagenette"].md5) == (
        (url,),
        md5,
    )


def test_every_archive_has_a_checksum_and_every_set_a_licence():
    for chosen in STANDARD_SETS.values():
        assert len(chosen.md5) == 32 or len(chosen.remote.sha256) == 64
        assert chosen.licence
        assert chosen.licence_url.startswith("http")


def test_no_md5_fits_every_archive(tmp_path):
    require_md5(tmp_path / "absent", "")


def test_unknown_name_is_one_sentence_and_exit_code_2(tmp_path, capsys):
    assert main(["standard", "coco", "--to", str(tmp_path)]) == 2
    assert (
        "NAME must be one of voc2012, voc2007, imagenette, div2k-valid" in capsys.readouterr().err
    )


def test_licence_is_printed_before_the_download(tmp_path, capsys, monkeypatch):
    content = b"nothing"
    monkeypatch.setitem(STANDARD_SETS, "voc2012", replace(STANDARD_SETS["voc2012"], num_photos=0))
    photos = tmp_path / STANDARD_SETS["voc2012"].photos
    photos.mkdir(parents=True)
    (photos / "notes.txt").write_bytes(content)
    assert main(["standard", "voc2012", "--to", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Pascal VOC 2012. Licence: Flickr terms")
