"""How each kind of fault is made and healed.

A fault is a generator: up to its `yield` it is made, lasts and is healed; what comes after the `yield` is done when the
run has recovered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from plan import Fault
    from scene import Scene

GIVE_UP_MS: Final = 1500
"""message.timeout.ms of the writer that gives up, well below the outage it meets."""


def stop_and_start(scene: Scene, fault: Fault, *, hard: bool) -> Generator[None, None, None]:
    """A broker goes away and comes back with its data, after a while or at once."""
    (scene.target.kill if hard else scene.target.stop)(fault.broker)
    scene.pass_time(fault.seconds)
    scene.target.start(fault.broker)
    yield


def pause(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """A broker stands still (SIGSTOP): connections stay open and nothing answers."""
    scene.target.pause(fault.broker)
    try:
        scene.pass_time(fault.seconds)
    finally:
        scene.target.resume(fault.broker)
    yield


def network(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """Something happens on the way to one broker, or to all of them."""
    everywhere = fault.variant % 2 == 0
    proxies = scene.target.proxies if everywhere else [scene.target.proxies[fault.broker - 1]]
    directions: tuple[Literal["both", "up", "down"], ...] = ("both", "up", "down")
    try:
        for proxy in proxies:
            match fault.kind:
                case "cut":
                    proxy.cut()
                case "half-open":
                    proxy.half_open(directions[fault.variant % 3])
                case "throttle":
                    proxy.throttle(20_000 + fault.variant % 80_000)
                case "delay and jitter":
                    proxy.delay(0.02 + fault.variant % 200 / 1000, 0.1)
                case "reset":
                    proxy.reset()
        scene.pass_time(fault.seconds)
    finally:
        for proxy in proxies:
            proxy.heal()
    yield


def leader_change(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """The data partitions get other leaders."""
    scene.target.elect()
    scene.pass_time(fault.seconds)
    yield


def disk_full(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """A broker cannot write any more, and then it can."""
    scene.target.fill_disk(fault.broker)
    scene.pass_time(fault.seconds)
    scene.target.free_disk(fault.broker)
    yield


def kill_writer(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """`kill -9` of our writer at a random moment; its session is taken up or ended by another process."""
    scene.pass_time(fault.variant % 1000 / 1000)
    scene.kill_writer(resume=fault.variant % 2 == 0)
    yield


def kill_reader(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """`kill -9` of a member of the group at a random moment."""
    scene.pass_time(fault.variant % 1000 / 1000)
    scene.kill_member(fault.variant)
    yield


def rebalance(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """The group of two gets a third member and loses one, or loses one and gets another."""
    if fault.variant % 2 == 0:
        scene.ready(scene.join())
        scene.pass_time(fault.seconds)
        scene.leave(fault.variant)
    else:
        scene.leave(fault.variant)
        scene.pass_time(fault.seconds)
        scene.ready(scene.join())
    yield


def time_out(scene: Scene, fault: Fault) -> Generator[None, None, None]:
    """An outage that is longer than a second writer's packets may wait, who is told to give up, or not to."""
    gives_up = fault.kind == "time-out, fail"
    options = [f"--message-timeout-ms={GIVE_UP_MS}"] if gives_up else ["--on-outage=wait"]
    main = scene.main_run
    second = scene.add_writer("--session-s=0", "--rate=20", *options, beside=True)
    scene.pass_time(0.5)
    assert scene.main_run == main
    for proxy in scene.target.proxies:
        proxy.cut()
    try:
        scene.pass_time(fault.seconds)
    finally:
        for proxy in scene.target.proxies:
            proxy.heal()
    yield
    fates = scene.finish_writer(second)
    given_up = fates.get("not_persisted", 0) + fates.get("possibly_persisted", 0)
    if gives_up:
        assert given_up > 0, f"an outage of {fault.seconds} s gave {fates} with message.timeout.ms={GIVE_UP_MS}"
    else:
        assert given_up == 0, f"a writer that waits for the end of an outage gave packets up: {fates}"


FAULTS: Final[dict[str, Callable[[Scene, Fault], Generator[None, None, None]]]] = {
    "clean stop": lambda scene, fault: stop_and_start(scene, fault, hard=False),
    "hard stop": lambda scene, fault: stop_and_start(scene, fault, hard=True),
    "clean bounce": lambda scene, fault: stop_and_start(scene, fault, hard=False),
    "hard bounce": lambda scene, fault: stop_and_start(scene, fault, hard=True),
    "pause": pause,
    "cut": network,
    "half-open": network,
    "throttle": network,
    "delay and jitter": network,
    "reset": network,
    "leader change": leader_change,
    "broker loss": lambda scene, fault: stop_and_start(scene, fault, hard=True),
    "disk full": disk_full,
    "kill writer": kill_writer,
    "kill reader": kill_reader,
    "rebalance": rebalance,
    "time-out, fail": time_out,
    "time-out, wait": time_out,
}
