"""Names of roles and targets: flat, and never leading anywhere else."""

from __future__ import annotations

import pytest

from protocol import names


def test_targets_are_named_for_what_they_are():
    assert names.release_target("01a20000-0000-7000-8000-000000000001").startswith("release/01a2")
    assert names.frame_target("13") == "frame/13.json"
    assert names.frame_target("130123105201") == "frame/130123105201.json"
    assert names.local_target("1301") == "local/1301/1301.json"
    assert names.local_target("130123") == "local/1301/130123.json"
    assert names.local_role("1301") == "local-1301"


@pytest.mark.parametrize("region", ["", "1", "131", "../13", "13/..", "13.json", "１３"])
def test_what_is_no_region_names_nothing(region):
    for function in (names.frame_target, names.local_target):
        with pytest.raises(ValueError, match="not a region"):
            function(region)


def test_the_province_has_no_local_document():
    with pytest.raises(ValueError, match="province"):
        names.local_target("13")


@pytest.mark.parametrize("city", ["13", "130123", ""])
def test_only_a_city_has_a_local_role(city):
    with pytest.raises(ValueError, match="not a city"):
        names.local_role(city)
