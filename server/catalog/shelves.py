"""The sections 板块 and partner departments 资源单位 that an installation starts with. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shelf:
    slug: str
    name: str
    name_en: str


SECTIONS: tuple[Shelf, ...] = (
    Shelf("dangjian", "党建时政", "Party building and current affairs"),
    Shelf("zhengce", "政策法规", "Policies and regulations"),
    Shelf("dangshi", "党史党性", "Party history and spirit"),
    Shelf("xianfeng", "先锋风采", "Pioneers"),
    Shelf("zhifu", "致富信息", "Ways to earn"),
    Shelf("nongji", "农业科技", "Farming science and technology"),
    Shelf("shichang", "市场行情", "Market prices"),
    Shelf("wenyu", "文化娱乐", "Culture and entertainment"),
    Shelf("kepu", "科普健康", "Popular science and health"),
    Shelf("fazhi", "法治课堂", "Law class"),
    Shelf("qingnian", "青年创业", "Young founders"),
    Shelf("xiangtu", "燕赵乡土", "Home soil of Yan and Zhao"),
)
"""Twelve main shelves; 政策法规, 致富信息 and 文化娱乐 are named by the network's own rules, the rest are ours."""

DEPARTMENTS: tuple[Shelf, ...] = (
    Shelf("wenhua", "省文化厅", "Department of Culture"),
    Shelf("gongqingtuan", "共青团省委", "Communist Youth League"),
    Shelf("jiaoyu", "省教育厅", "Department of Education"),
    Shelf("keji", "省科技厅", "Department of Science and Technology"),
    Shelf("nongye", "省农业厅", "Department of Agriculture"),
    Shelf("nonglin", "省农林科学院", "Academy of Agriculture and Forestry Sciences"),
    Shelf("kexie", "省科协", "Association for Science and Technology"),
    Shelf("xinhua", "新华社河北分社", "Xinhua News Agency, Hebei branch"),
)
