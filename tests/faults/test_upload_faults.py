# SPDX-License-Identifier: GPL-2.0-or-later
"""The service is killed, or the disk becomes full, while an image is sent to it: it is whole, or not there at all."""

from __future__ import annotations

from pathlib import Path

from faults_dying import Dying
from faults_ground import Ground, attempt, eventually, small_file_system

from kiban.errors import NoService

MOST = 40  # things in one upload; more means that it never ends
ISO = bytes(16 * 2048) + b"\x01CD001\x01".ljust(2048, b"\0") + bytes(range(256)) * (3 << 12)


def image(ground: Ground, size: int = len(ISO)) -> Path:
    path = ground.folder / "a.iso"
    path.write_bytes(ISO)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def there(ground: Ground) -> list[str]:
    return [path.name for path in ground.paths.media.iterdir()]


def test_the_service_is_killed_at_every_thing_it_does(ground: Ground) -> None:
    ground.paths.state.mkdir()
    service, points, file = Dying(ground), [], image(ground)
    for count in range(1, MOST):
        try:
            eventually("the service is at rest", ground.paths.autostarted.exists)
            service.arm(count)
            refused = attempt(ground.client().upload, file)
            service.arm(0)
            if not service.dead:
                assert refused is None, refused
                break
            points.append(service.dead)
            assert isinstance(refused, NoService), refused
        finally:
            service.kill()
        service = Dying(ground)
        assert there(ground) in ([], ["a.iso"])
        if there(ground):
            assert Path(ground.paths.media / "a.iso").read_bytes() == ISO
            ground.client().remove_medium("a.iso")
    assert (ground.paths.media / "a.iso").read_bytes() == ISO
    assert any("renameat2" in point for point in points), points
    assert "Traceback" not in ground.log(), ground.log()


def test_a_disk_that_becomes_full(ground: Ground) -> None:
    ground.paths.media.mkdir(parents=True)
    with small_file_system(ground.paths.media, 100):
        ground.serve()
        client = ground.client()
        refused = attempt(client.upload, image(ground, 90 << 20))
        assert refused is not None
        assert refused.reason == "no-space"
        assert there(ground) == []
        assert client.upload(image(ground)).size == len(ISO)
        ground.kill_service()
