# SPDX-License-Identifier: GPL-2.0-or-later
"""The system unit under a real systemd: a container whose root is this host's, with an overlay that nothing leaves.

A command that finds no service has systemd start it, and not one of its own, which the unit would then stumble over.
A browser that is on loopback goes on over a restart and a kill, because systemd keeps the port; not over a stop.
Everything that is asked of it is one script, run by a unit of its own that turns the container off when it is through.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rig import WAIT

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "packaging/systemd/system/kiban.service"
CHECK = """[Unit]
Wants=kiban.service
After=kiban.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/sh -eux /check.sh
StandardOutput=file:/told/out
StandardError=file:/told/err
Environment=KIBAN_STATE=/var/lib/kiban KIBAN_RUNTIME=/run/kiban
"""
SCRIPT = """
exec 3>&1 >/dev/null
tell() { echo "$1 $(kiban ls -o json | tr -d '\\n')" >&3; }
visit() { echo "visit-$1 $(PYTHON /visit.py "${2:-}")" >&3; }
kiban create one --disk 1G
kiban create two --generation 1 --disk 1G
kiban start one two
kiban pause two
visit entered "$(kiban web --print)"
tell started
systemctl restart kiban
visit restarted
tell restarted
systemctl kill --signal=KILL --kill-whom=main kiban
visit killed
tell killed
systemctl stop kiban
visit alone
echo "alone $(pgrep --count qemu)" >&3
tell again
kiban web --print
visit again
systemctl is-active kiban
kiban stop --force one two
tell off
"""
VISIT = """import http.client, json, sys
link = sys.argv[1].removeprefix("http://")
host, port = link.partition("/")[0].split(":") if link else json.load(open("/visit.json"))[:2]
def ask(method, path, body, headers):
    line = http.client.HTTPConnection("127.0.0.1", int(port), timeout=300)
    line.request(method, path, body, {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"} | headers)
    return line.getresponse()
if link:
    cookie = ask("POST", "/login", link.partition("#")[2], {}).headers["Set-Cookie"].partition(";")[0]
    json.dump([host, port, cookie], open("/visit.json", "w"))
try:
    answer = ask("GET", "/", None, {"Cookie": json.load(open("/visit.json"))[2]})
    print(answer.status, json.loads(answer.read())["code"] if answer.status != 200 else "")
except ConnectionRefusedError:
    print("nobody")
"""
BOOT = """set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
cp -a "$2/." "$1/root/"
rm -f "$1/root/etc/resolv.conf"
rm -rf "$1/root/var/lib/kiban"  # the host's own machines are none of it
shift 2
exec systemd-nspawn --directory "$OVER/root" "$@"
"""


@pytest.fixture
def over(root: Path) -> Path:
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("a container needs root and systemd-nspawn")
    for name in ("over", "told", "tree/etc/systemd/system/multi-user.target.wants", "tree/usr/local/bin"):
        (root / "unit" / name).mkdir(parents=True)
    return root / "unit"


def test_machines_outlive_the_unit(over: Path) -> None:
    told = dict(line.split(" ", 1) for line in _container(over).splitlines())
    started = _states(told["started"])
    assert [state for _, state, _ in started] == ["running", "paused"]
    assert _states(told["restarted"]) == _states(told["killed"]) == _states(told["again"]) == started
    assert told["alone"] == "2"
    visits = [told[f"visit-{when}"].strip() for when in ("entered", "restarted", "killed", "alone", "again")]
    assert visits == ["200", "200", "200", "nobody", "403 wrong-host"]
    assert [state for _, state, _ in _states(told["off"])] == ["off", "off"]


def _states(line: str) -> list[tuple[str, str, int]]:
    return [(machine["name"], machine["state"], machine["pid"]) for machine in json.loads(line)]


def _container(over: Path) -> str:
    """What the script said, in a container that has Kiban's unit as a package would install it."""
    system = over / "tree/etc/systemd/system"
    kiban = over / "tree/usr/local/bin/kiban"
    kiban.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import sys; from kiban.cli.main import main; sys.exit(main())' \"$@\"\n"
    )
    kiban.chmod(0o755)
    (system / "kiban.service").write_text(UNIT.read_text().replace("/usr/bin/kiban", "/usr/local/bin/kiban"))
    (system / "multi-user.target.wants/kiban.service").symlink_to("../kiban.service")
    (system / "check.service").write_text(CHECK)
    (over / "tree/check.sh").write_text(SCRIPT.replace("PYTHON", sys.executable))
    (over / "tree/visit.py").write_text(VISIT)
    places = {str(REPOSITORY), sys.prefix, sys.base_prefix}
    binds = [f"--bind-ro={place}" for place in sorted(places) if not place.startswith("/usr")]
    options = ["--boot", "--register=no", "--keep-unit", "--private-network", f"--bind={over}/told:/told", *binds]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", BOOT, "sh", over / "over", over / "tree", *options, "--",
         "systemd.unit=check.service"],
        env=os.environ | {"OVER": str(over / "over")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=WAIT,
        check=False,
    )  # fmt: skip
    out, err = over / "told/out", over / "told/err"
    assert out.exists(), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert "off " in out.read_text(), err.read_text()
    return out.read_text()
