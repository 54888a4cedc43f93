"""What the demonstration films say: six short public-service films, words and identity.

The statements are common knowledge of each trade, checked against the usual official wording:
State Grid's safety leaflets (8 metres, 95598), the Ministry of Agriculture's spring wheat guidance,
orchard handbooks, the Ministry of Public Security's anti-fraud slogans (96110), the entries for 剪纸
in the national list of intangible heritage (2006) and UNESCO's (2009), and the 2018 regulation on the
work of Party branches (中国共产党支部工作条例（试行）).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One line of a page: a rule to follow (`do`) or a thing to leave alone."""

    text: str
    do: bool = True


@dataclass(frozen=True)
class Page:
    """One slide: a picture (the scene's name), a heading, its points, the sentence under the picture."""

    scene: str
    heading: str
    points: tuple[Point, ...]
    subtitle: str


@dataclass(frozen=True)
class Identity:
    """A film's colours: the ground, the deeper and lighter sides of it, ink, and the accent."""

    ground: str
    deep: str
    ink: str
    soft: str
    accent: str
    on_accent: str
    dark: bool


@dataclass(frozen=True)
class Script:
    """One film: what it is called, where it belongs, what it says and how it looks and sounds."""

    key: str
    title: str
    tagline: str
    section_slug: str
    department_slug: str
    summary: str
    identity: Identity
    panel: str
    opening: str
    pages: tuple[Page, ...]
    closing: str
    recap: tuple[str, ...]
    goodbye: str
    tonic_hz: float
    tempo_bpm: int


def _page(scene: str, heading: str, subtitle: str, *points: str) -> Page:
    """A page; a point that starts with × is something to leave alone."""
    return Page(scene, heading, tuple(Point(p.lstrip("×"), not p.startswith("×")) for p in points), subtitle)


POWER = Script(
    key="power",
    title="农村安全用电",
    tagline="电用得好，先要用得安全",
    section_slug="kepu",
    department_slug="kexie",
    summary="家用电器多了，用电安全要记牢：装好漏电保护器，不私拉乱接，远离断落电线，有人触电先断电再施救。",
    identity=Identity("#0f1e3d", "#0a152c", "#f5f8ff", "#a9bbdf", "#ffc93c", "#1b2340", True),
    panel="bolt",
    opening="家里电器越来越多，用电安全要记牢。",
    pages=(
        _page(
            "breaker",
            "装好漏电保护器",
            "漏电保护器每月按一次试验按钮，能跳闸才管用。",
            "家家户户都要装",
            "每月按一次“试验”按钮",
            "×跳闸没查清就强行合闸",
        ),
        _page(
            "sockets",
            "不私拉、不超载",
            "一个插座别带太多电器，更不能用铜丝代替保险丝。",
            "×乱拉乱接临时线",
            "×用铜丝、铁丝代替保险丝",
            "大功率电器单独用插座",
        ),
        _page(
            "fallen",
            "远离断落的电线",
            "看到电线断落，离开八米以外，打95598报修。",
            "离开八米以外，不去捡",
            "守住路口，提醒行人",
            "拨打 95598",
        ),
        _page(
            "rescue",
            "有人触电先断电",
            "救人先断电，不要直接用手去拉触电的人。",
            "先拉闸、拔插头",
            "用干燥木棒挑开电线",
            "拨打 120，懂急救的马上施救",
        ),
    ),
    closing="记牢三句话",
    recap=("装漏保，月月试", "不乱接，不超载", "先断电，再救人"),
    goodbye="安全用电，平安到家。",
    tonic_hz=196.0,
    tempo_bpm=92,
)

WHEAT = Script(
    key="wheat",
    title="冬小麦返青管理",
    tagline="早春一锄，夏收一斗",
    section_slug="nongji",
    department_slug="nongye",
    summary="河北麦田二月下旬起由南向北返青。划锄保墒、看苗追肥浇水、防病除草、防倒春寒，四件事一步一步做。",
    identity=Identity("#f3f4dc", "#dfe8bd", "#23391c", "#5c7046", "#4f8f2f", "#ffffff", False),
    panel="field",
    opening="二月下旬起，我省冬小麦由南向北陆续返青。",
    pages=(
        _page(
            "hoeing",
            "划锄镇压，增温保墒",
            "返青前后浅划锄，松土保墒，还能提高地温。",
            "返青前后浅锄一遍",
            "松土、保墒、除小草",
            "旺长麦田适当镇压",
        ),
        _page(
            "seedlings",
            "看苗管理，分类施策",
            "弱苗早追肥促生长，壮苗推迟到起身拔节期再管。",
            "弱苗：返青期早追肥浇水",
            "一般苗：起身期追肥浇水",
            "壮苗：拔节期追肥浇水",
        ),
        _page(
            "watering",
            "浇水要看天",
            "日均气温稳定在三度以上，白天浇，夜里不积水。",
            "日均气温稳定在 3℃ 以上",
            "白天浇，夜间能渗完",
            "×大水漫灌",
        ),
        _page(
            "guarding",
            "防病除草防冻",
            "拔节前除完草；寒潮来之前先浇一遍水。",
            "查茎基腐病、纹枯病",
            "拔节前结束化学除草",
            "寒潮来前浇水防冻",
        ),
    ),
    closing="返青管理三句话",
    recap=("划锄保墒早动手", "看苗追肥分先后", "浇水看天防倒寒"),
    goodbye="管好返青水，穗大籽粒饱。",
    tonic_hz=220.0,
    tempo_bpm=84,
)

APPLE = Script(
    key="apple",
    title="苹果冬剪",
    tagline="冬天剪好枝，秋天好果子",
    section_slug="nongji",
    department_slug="nonglin",
    summary="苹果树落叶后到萌芽前修剪：先看后剪、打开光路、剪口平滑涂药、剪下病枝带出果园。",
    identity=Identity("#e9eff5", "#d3deea", "#2c2622", "#6a6f7a", "#c8372d", "#ffffff", False),
    panel="round",
    opening="落叶后到萌芽前，正是苹果树冬剪的时候。",
    pages=(
        _page(
            "look",
            "先看树，再动剪",
            "围着树看一圈，先去掉病枝、枯枝和徒长枝。",
            "先去病枝、枯死枝",
            "再去徒长枝、交叉枝",
            "避开一年里最冷的几天",
        ),
        _page(
            "light",
            "打开光路，疏密有度",
            "疏掉过密的大枝，让阳光照进树膛里。",
            "疏除过密的大枝",
            "大枝分年去，一年不贪多",
            "×见枝就短截",
        ),
        _page(
            "cut",
            "剪口平滑，涂药保护",
            "剪口要平、不留桩，大伤口及时涂保护剂。",
            "剪口平滑，不留残桩",
            "大伤口涂愈合保护剂",
            "剪过病树，工具要消毒",
        ),
        _page(
            "clean",
            "剪完清园",
            "病枝落叶带出果园，减少来年的病虫。",
            "病枝、落叶、僵果带出园",
            "刮老翘皮，注意护树",
            "剪下的病枝集中处理",
        ),
    ),
    closing="冬剪三句话",
    recap=("先看后剪心有数", "枝少光足果才红", "剪口涂药再清园"),
    goodbye="剪好一棵树，甜满一园秋。",
    tonic_hz=174.6,
    tempo_bpm=80,
)

FRAUD = Script(
    key="fraud",
    title="防电信诈骗",
    tagline="不轻信　不透露　不转账",
    section_slug="fazhi",
    department_slug="gongqingtuan",
    summary="刷单返利、冒充公检法、假客服退款是常见骗局。不轻信、不透露、不转账，接到96110一定要听。",
    identity=Identity("#0d3b45", "#08282f", "#f2fbfa", "#9fcbcb", "#ff7a45", "#ffffff", True),
    panel="phone",
    opening="骗子花样多，守住钱袋子要记住几条。",
    pages=(
        _page(
            "call",
            "陌生来电不轻信",
            "公检法不会在电话里办案，更没有什么“安全账户”。",
            "公检法没有“安全账户”",
            "客服退款不用先转钱",
            "×干“刷单返利”的活儿",
        ),
        _page(
            "secrets",
            "个人信息不透露",
            "验证码、银行卡密码，谁要都不能给。",
            "×把验证码告诉别人",
            "×点陌生人发来的链接",
            "×和陌生人共享手机屏幕",
        ),
        _page(
            "transfer",
            "转账汇款多核实",
            "熟人借钱，先打电话问一声，再做决定。",
            "熟人借钱，先打电话问",
            "先交钱的贷款是假贷款",
            "拿不准，找村干部商量",
        ),
        _page(
            "hotline",
            "96110 来电一定要接",
            "96110是反诈预警劝阻专线，来电请马上接听。",
            "96110：反诈预警劝阻专线",
            "被骗了，马上打 110",
            "留好转账和聊天记录",
        ),
    ),
    closing="记牢三个“不”",
    recap=("陌生来电不轻信", "个人信息不透露", "转账之前不着急"),
    goodbye="多问一句，少上一当。",
    tonic_hz=233.1,
    tempo_bpm=96,
)

PAPERCUT = Script(
    key="papercut",
    title="蔚县剪纸",
    tagline="一把刻刀，满窗春色",
    section_slug="xiangtu",
    department_slug="wenhua",
    summary="张家口蔚县的剪纸用刀刻、用色染，“三分刻，七分染”，二〇〇六年列入首批国家级非物质文化遗产名录。",
    identity=Identity("#fbf1e0", "#f2dfc0", "#5a1712", "#9a5a41", "#c5161d", "#fff6e6", False),
    panel="window",
    opening="到了张家口蔚县，处处都能看到剪纸。",
    pages=(
        _page(
            "carving",
            "不用剪刀用刻刀",
            "蔚县剪纸用小刀刻，一次能刻几十层宣纸。",
            "薄薄的宣纸，叠成一沓",
            "小刻刀，一刀一刀刻成",
            "画样、刻制、染色、成品",
        ),
        _page(
            "colours",
            "三分刻，七分染",
            "刻好以后再点染，颜色一层一层渗开。",
            "以阴刻为主，刻出轮廓",
            "点染上色，鲜亮透光",
            "贴在窗上，里外都好看",
        ),
        _page(
            "motifs",
            "窗上有花有戏",
            "戏曲人物、花鸟鱼虫、吉祥图案，样样都能刻。",
            "戏曲人物和脸谱",
            "花鸟鱼虫、五谷丰登",
            "福字、喜字、连年有余",
        ),
        _page(
            "heritage",
            "老手艺，新传人",
            "二〇〇六年列入首批国家级非遗名录。",
            "2006年列入首批国家级非遗",
            "2009年中国剪纸入选人类非遗",
            "老艺人带徒弟，代代相传",
        ),
    ),
    closing="看懂一张窗花",
    recap=("看刀法：线条断连有致", "看染色：层次鲜亮透光", "看寓意：日子红红火火"),
    goodbye="一张剪纸，贴出一年的好光景。",
    tonic_hz=261.6,
    tempo_bpm=100,
)

MEETING = Script(
    key="meeting",
    title="三会一课怎么开",
    tagline="党支部组织生活基本功",
    section_slug="dangjian",
    department_slug="xinhua",
    summary="支部党员大会、支部委员会、党小组会和党课：多久开一次、开什么、怎么开，对照支部工作条例讲明白。",
    identity=Identity("#8f1518", "#6d0e12", "#fff7e8", "#f2cfae", "#f2b544", "#6d0e12", True),
    panel="arch",
    opening="三会一课，是党支部组织生活的基本制度。",
    pages=(
        _page(
            "assembly",
            "支部党员大会",
            "党员大会一般每季度开一次，半数以上到会才能表决。",
            "一般每季度召开 1 次",
            "讨论决定支部重要事项",
            "有表决权的党员半数以上到会",
        ),
        _page(
            "committee",
            "支部委员会",
            "支部委员会一般每月开一次，半数以上委员到会。",
            "一般每月召开 1 次",
            "根据需要可以随时召开",
            "半数以上委员到会方可进行",
        ),
        _page(
            "group",
            "党小组会",
            "党小组会一般每月开一次，学习、谈心、开展批评。",
            "一般每月召开 1 次",
            "政治学习、谈心谈话",
            "开展批评和自我批评",
        ),
        _page(
            "lecture",
            "党课",
            "党课要联系实际讲，党委书记每年至少讲一次。",
            "领导干部定期讲党课",
            "党委书记每年至少讲 1 次",
            "讲身边事，让大家听得懂",
        ),
    ),
    closing="开好会，三步走",
    recap=("会前：定好主题，提前通知", "会上：围绕主题，充分讨论", "会后：做好记录，抓好落实"),
    goodbye="开一次会，解决一件事。",
    tonic_hz=207.7,
    tempo_bpm=88,
)

SCRIPTS = (MEETING, WHEAT, APPLE, POWER, FRAUD, PAPERCUT)

MARK = "演示节目"
"""Stands in a corner of every film: nobody may take a demonstration for a broadcast."""


def words(script: Script) -> str:
    """Every word that the film shows, in one string."""
    pages = [
        f"{page.heading}{page.subtitle}{''.join(point.text for point in page.points)}"
        for page in script.pages
    ]
    return "".join(
        (
            script.title,
            script.tagline,
            script.summary,
            script.opening,
            script.closing,
            script.goodbye,
            MARK,
            *script.recap,
            *pages,
        )
    )
