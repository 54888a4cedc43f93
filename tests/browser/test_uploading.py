"""Uploads and bulk import in a real browser: the tray goes on where a reload stopped, a list is checked and imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from server.catalog import service, uploads
from server.catalog.models import Asset, Programme
from server.config import Config
from server.db import Database
from server.identity.rules import Role
from server.identity.service import create_account
from server.regions.models import Region
from tests.catalog.conftest import NOW, Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
PASSWORD = "Y-7-uploading-in-a-browser"
SIZE = 2_500_000


@pytest.fixture
def console(
    sqlite_url: str, tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The console alone, with one editor; parts of 1 MB, so that a small file has several."""
    monkeypatch.setattr(uploads, "part_size_for", lambda _size: 1_000_000)
    config = Config(data=tmp_path / "data", database_url=sqlite_url, jobs_database_url="sqlite://")
    config.make_folders()
    database = Database(sqlite_url)
    with database.write() as session:
        session.add(Region(code="13", parent=None, level="province", name="河北省"))
        session.flush()
        service.seed(session)
        grants = [(Role.PROVINCE_EDITOR, "13")]
        create_account(session, username="editor", name="编辑", password=PASSWORD, grants=grants, now=NOW)
    running = Server(config, free_port)
    running.database = database  # type: ignore[attr-defined]
    yield running
    running.stop()
    database.close()


def sign_in(page: Page, console: Server) -> None:
    page.goto(f"{console.url}/sign-in")
    page.get_by_label("用户名").fill("editor")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.locator(".yb-me-name")).to_be_visible()


def count(console: Server, table: type) -> int:
    with console.database.read() as session:  # type: ignore[attr-defined]
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_upload_stopped_by_a_reload_goes_on_from_the_tray_of_another_page(
    page: Page, console: Server, tmp_path: Path
) -> None:
    film = tmp_path / "片子.mp4"
    film.write_bytes(bytes(range(256)) * (SIZE // 256))
    sign_in(page, console)
    page.goto(f"{console.url}/upload")
    page.get_by_label("板块").select_option(label="农业科技")
    page.route("**/parts/2", lambda route: route.abort())
    page.set_input_files("input.uppy-Dashboard-input >> nth=0", film)
    with page.expect_request_finished(lambda request: request.url.endswith("/parts/1")):
        page.locator(".uppy-StatusBar-actionBtn--upload").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{console.url}/programmes")
    page.unroute("**/parts/2")
    tray = page.locator("#tray")
    expect(tray).to_contain_text("片子.mp4")
    expect(tray).to_contain_text("40 %")
    with page.expect_file_chooser() as chooser:
        tray.get_by_role("button", name="继续").click()
    chooser.value.set_files(film)
    tray.get_by_role("link", name="打开").click()
    expect(page.locator(".page-title").first).to_contain_text("片子")
    assert (count(console, Asset), count(console, Programme)) == (1, 1)


def test_a_list_is_checked_row_by_row_and_imported_once(page: Page, console: Server, tmp_path: Path) -> None:
    folder = tmp_path / "光盘"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"a" * 1_000)
    (folder / "b.mp4").write_bytes(b"b" * 1_000)
    sheet = tmp_path / "清单.csv"
    sheet.write_text("文件,标题,板块\na.mp4,苹果冬剪,农业科技\nb.mp4,,农业科技\n", "gbk")
    sign_in(page, console)
    page.goto(f"{console.url}/import")
    page.set_input_files("#sheet", sheet)
    page.set_input_files("#folder", folder)
    page.get_by_role("button", name="逐行核对").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#rows tr").nth(1)).to_contain_text("请填写节目名称")
    assert count(console, Programme) == 0
    page.get_by_role("button", name="开始导入").click()
    expect(page.locator("#rows tr").first).to_contain_text("已导入")
    page.get_by_role("button", name="逐行核对").click()
    expect(page.locator("#rows tr").first).to_contain_text("已有，跳过")
    assert count(console, Programme) == 1
