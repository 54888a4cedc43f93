"""What an office sees of its stations when something is wrong with a terminal."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from server.stations.models import Terminal
from tests.stations.office import NOW
from tests.stations.test_api import STATIONS, add_station, enrol


@pytest.fixture
def station(web, zhengding) -> str:
    return add_station(web, zhengding).get_json()["id"]


def page(web, headers, station) -> str:
    answer = web.get(f"/stations/{station}", headers=headers)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_second_key_on_one_code_is_an_alarm_on_the_stations_page(web, zhengding, station):
    code = web.post(f"{STATIONS}/{station}/invitations", headers=zhengding).get_json()["code"]
    enrol(web, code)
    assert "另一台设备" not in page(web, zhengding, station)
    enrol(web, code)
    shown = page(web, zhengding, station)
    assert "另一台设备用同一注册码申请注册" in shown
    assert code not in shown


def test_a_copied_or_shared_terminal_is_said_in_words_and_can_be_stopped(
    web, places, zhengding, yuxian, station
):
    code = web.post(f"{STATIONS}/{station}/invitations", headers=zhengding).get_json()["code"]
    enrol(web, code)
    with places.write() as session:
        terminal = session.scalars(select(Terminal)).one()
        terminal.copied_at = terminal.disputed_at = NOW
    shown = page(web, zhengding, station)
    assert "磁盘曾被恢复或复制" in shown
    assert "两台设备用这一把密钥上报" in shown

    stop = f"/stations/{station}/terminals/{terminal.id}/revocation"
    assert web.get(f"/stations/{station}", headers=yuxian).status_code == 404
    web.post(stop, headers=yuxian)
    assert "已停用" not in page(web, zhengding, station)
    assert web.post(stop, headers=zhengding).status_code == 302
    shown = page(web, zhengding, station)
    assert "已停用" in shown
    assert "停用这台终端" not in shown
