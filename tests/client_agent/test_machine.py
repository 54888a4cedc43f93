"""What the machine says of itself."""

from __future__ import annotations

from client_agent.machine import screen_on, temperature_c


def test_the_warmest_believable_sensor_counts(tmp_path):
    for zone, text in enumerate(("41000", "nonsense", "52500", "999000")):
        (tmp_path / f"thermal_zone{zone}").mkdir()
        (tmp_path / f"thermal_zone{zone}" / "temp").write_text(text + "\n")
    assert temperature_c(tmp_path) == 52.5


def test_a_connected_screen_that_is_on_is_on(tmp_path):
    assert screen_on(tmp_path) is None
    for name, status, dpms in (("card0-HDMI-A-1", "connected", "Off"), ("card0-DP-1", "disconnected", "On")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(status)
        (tmp_path / name / "dpms").write_text(dpms)
    assert screen_on(tmp_path) is False
    (tmp_path / "card0-HDMI-A-1" / "dpms").write_text("On\n")
    assert screen_on(tmp_path) is True


def test_a_machine_that_says_nothing_is_no_trouble(tmp_path):
    assert temperature_c(tmp_path / "none") is None
    assert screen_on(tmp_path / "none") is None
