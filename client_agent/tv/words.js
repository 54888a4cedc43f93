/* Every word of the page, Chinese first. */
var TV = {};

TV.WORDS = {
  zh: {
    home: '首页', listing: '节目单', library: '点播', replay: '回看', search: '搜索', desk: '站务', settings: '设置',
    on_air: '正在播出', between: '间隙短片', next: '接下来', watch_full: '全屏收看', whole_listing: '看节目单',
    chosen: '点播', chosen_row: '随时点播', minutes: '分钟',
    yesterday: '昨天', today: '今天', tomorrow: '明天',
    required: '必播', local: '本地', emergency: '应急插播', slate: '待机',
    stored: '已存好', not_stored: '未下载', playing_now: '正在播',
    toast_not_stored: '这个节目还没下载好，存好就能看', toast_over: '播放完毕', toast_later: '{0} 播出，到时请看直播',
    toast_failed: '这个节目现在放不了', toast_emergency: '应急插播',
    sound: '按任意键打开声音', notice: '通知',
    why_no_schedule: '还没有收到节目安排', why_clock: '正在校准时间，联网后自动恢复直播', why_not_stored: '节目正在下载，请稍候',
    why_wait: '稍后播出', why_lost: '播放程序正在重新启动', why_refused: '这个节目暂停播出',
    clock_library: '现在可以点播本站已存的节目', to_library: '去点播',
    ready_all: '未来一天的 {0} 个节目都已存好，断网也能播', ready_some: '未来一天的节目：已存好 {0} / {1}',
    keys_home: '◀ ▶ ▲ ▼ 选择　　OK 确定　　返回 收看', keys_list: '▲ ▼ 选择　　OK 收看　　返回 首页',
    keys_play: '◀ ▶ 快退快进　　▲ ▼ 音量　　OK 暂停　　返回',
    paused: '暂停', again: '回看', language: '语言 Language', language_now: '中文', captions: '字幕', text_size: '文字大小',
    on: '开', off: '关', size_normal: '标准', size_big: '大字', about: '本站', program: '程序版本', clock_state: '时间',
    clock_known: '准确', clock_held: '断电后沿用', clock_uncertain: '未校准',
    empty_library: '还没有可以点播的节目。', empty_library_how: '省台发布的节目下载到本站以后，会按板块排在这里。',
    empty_listing: '这一天还没有节目安排。', empty_listing_how: '联网收到新的节目单后，会自动显示在这里。',
    topic: '专题', begun_row: '接着看', resume_from: '从 {0} 接着看',
    toast_wish: '还没下载到本站。已记下您想看，下载好就能看', toast_wish_later: '{0} 播出。已记下您想看',
    toast_wished: '已记下您想看“{0}”', toast_no_number: '没有 {0} 号节目',
    faces_ask: '这个节目怎么样？', face_poor: '不好看', face_fair: '一般', face_good: '好看', faces_skip: '按返回跳过', toast_thanks: '谢谢，已记下',
    next_card: '即将播出　{0} 秒', keys_watch: '◀ 回看　　OK 菜单',
    keys_replay: '◀ ▶ ▲ ▼ 选择　　OK 回看　　返回 首页', keys_search: '输入拼音首字母　　OK 确定　　返回 首页',
    search_hint: '用拼音首字母找节目：冬小麦 → DXM', search_delete: '删除', search_clear: '清空', search_found: '找到 {0} 个', search_none: '没有找到“{0}”',
    search_wish: '想看这个，告诉省台', search_all: '全部节目',
    empty_replay: '过去七天还没有可以回看的节目。', empty_replay_how: '播出过并存在本站的节目会排在这里，断网也能看。',
    study: '集中学习', study_begin: '开始集中学习', study_now: '正在集中学习', study_over: '本次集中学习结束', study_thanks: '按 OK 收起，记录已存在本站',
    tonight_ready: '✓ 今晚已就绪', tonight_waiting: '今晚的节目还在下载', tonight_at: '{0}　集中学习', verified: '✓ 已核验', coming: '正在下载', without_net: '断网也能播',
    moved: '（改期：{0}）', toast_no_study: '今晚的节目还没存好，暂时不能开始', toast_resumed: '接着断电前的集中学习',
    talk: '讨论', talk_meant: '建议 {0} 分钟', talk_last: '讨论后本次学习结束', talk_keys: 'OK 讨论完了　　◀ 回到节目　　返回 结束学习', close_keys: 'OK 收起',
    heads_start: '开始点名：来了多少人？', heads_end: '结束点名：现在多少人？', heads_expected: '应到', heads_present: '实到', heads_were: '实到 {0} 人，应到 {1} 人',
    heads_keys: '数字键或 ▲ ▼ 输入　　◀ 删除　　OK 下一项　　返回 不点名', keys_study: '▶ 讲完了，讨论　　OK 暂停　　返回 结束学习',
    stop_ask: '再按一次返回，结束集中学习',
    weekdays: ['星期日', '星期一', '星期二', '星期三', '星期四', '星期五', '星期六'], date: '{0}月{1}日 {2}', short_date: '{0}月{1}日'
  },
  en: {
    home: 'Home', listing: 'Listing', library: 'Library', replay: 'Catch-up', search: 'Search', desk: 'Desk', settings: 'Settings',
    on_air: 'Now playing', between: 'Short films', next: 'Next', watch_full: 'Full screen', whole_listing: 'Listing',
    chosen: 'Library', chosen_row: 'Watch any time', minutes: 'min',
    yesterday: 'Yesterday', today: 'Today', tomorrow: 'Tomorrow',
    required: 'Required', local: 'Local', emergency: 'Emergency', slate: 'Off air',
    stored: 'Stored', not_stored: 'Not yet here', playing_now: 'On air',
    toast_not_stored: 'Not downloaded yet; it can be watched once it is stored', toast_over: 'The end', toast_later: 'On air at {0}',
    toast_failed: 'This cannot be played now', toast_emergency: 'Emergency broadcast',
    sound: 'Press any key for sound', notice: 'Notice',
    why_no_schedule: 'No schedule has arrived yet', why_clock: 'Setting the clock; the channel resumes once there is a connection', why_not_stored: 'The programme is being downloaded',
    why_wait: 'More to come', why_lost: 'The player is restarting', why_refused: 'This programme is suspended',
    clock_library: 'What is stored here can be watched now', to_library: 'To the library',
    ready_all: 'All {0} programmes of the next day are stored: they play without a network', ready_some: 'Programmes of the next day stored: {0} of {1}',
    keys_home: '◀ ▶ ▲ ▼ move        OK select        Back watch', keys_list: '▲ ▼ move        OK watch        Back home',
    keys_play: '◀ ▶ skip      ▲ ▼ volume      OK pause      Back',
    paused: 'Paused', again: 'Replay', language: '语言 Language', language_now: 'English', captions: 'Captions', text_size: 'Text size',
    on: 'On', off: 'Off', size_normal: 'Normal', size_big: 'Large', about: 'This station', program: 'Version', clock_state: 'Clock',
    clock_known: 'exact', clock_held: 'kept through a power cut', clock_uncertain: 'not set',
    empty_library: 'Nothing to choose from yet.', empty_library_how: 'Programmes the province publishes appear here, shelf by shelf, once they are stored.',
    empty_listing: 'Nothing is planned for this day yet.', empty_listing_how: 'A new listing shows here by itself once it arrives.',
    topic: 'Topic', begun_row: 'Go on watching', resume_from: 'Going on from {0}',
    toast_wish: 'Not here yet. Your wish is noted; it plays once it is stored', toast_wish_later: 'On air at {0}. Your wish is noted',
    toast_wished: 'Noted: you would like “{0}”', toast_no_number: 'There is no programme {0}',
    faces_ask: 'How was it?', face_poor: 'Not good', face_fair: 'So-so', face_good: 'Good', faces_skip: 'Back to skip', toast_thanks: 'Thank you, noted',
    next_card: 'Coming up in {0} s', keys_watch: '◀ catch-up    OK menu',
    keys_replay: '◀ ▶ ▲ ▼ move        OK watch        Back home', keys_search: 'Pinyin initials        OK select        Back home',
    search_hint: 'Find a programme by its pinyin initials: 冬小麦 → DXM', search_delete: 'Delete', search_clear: 'Clear', search_found: '{0} found', search_none: 'Nothing found for “{0}”',
    search_wish: 'I want this: tell the province', search_all: 'All programmes',
    empty_replay: 'Nothing of the past seven days to catch up with yet.', empty_replay_how: 'What was on air and is stored here stands in this place; it plays without a network.',
    study: 'Group study', study_begin: 'Begin group study', study_now: 'Group study', study_over: 'Group study is over', study_thanks: 'OK to close; the record is kept here',
    tonight_ready: '✓ Ready for tonight', tonight_waiting: 'Tonight’s programmes are still coming', tonight_at: '{0}  group study', verified: '✓ verified', coming: 'downloading', without_net: 'Plays without a network',
    moved: ' (moved: {0})', toast_no_study: 'Tonight’s programmes are not here yet', toast_resumed: 'Going on with the study session',
    talk: 'Discussion', talk_meant: '{0} minutes suggested', talk_last: 'After this the session ends', talk_keys: 'OK done    ◀ back to the programme    Back end the session', close_keys: 'OK close',
    heads_start: 'Roll call: how many came?', heads_end: 'How many are here now?', heads_expected: 'Expected', heads_present: 'Present', heads_were: '{0} present of {1}',
    heads_keys: 'Digits or ▲ ▼    ◀ delete    OK next    Back skip', keys_study: '▶ on to the discussion    OK pause    Back end',
    stop_ask: 'Press Back again to end the session',
    weekdays: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'], date: '{2} {1}/{0}', short_date: '{0}/{1}'
  }
};

TV.lang = 'zh';

/* Words that belong to one file stand in that file. */
TV.words = function (zh, en) {
  var name;
  for (name in zh) { TV.WORDS.zh[name] = zh[name]; }
  for (name in en) { TV.WORDS.en[name] = en[name]; }
};

/* A word in the chosen language; {0}, {1} are replaced. */
TV.say = function (name) {
  var text = TV.WORDS[TV.lang][name];
  if (typeof text !== 'string') { return text; }
  for (var i = 1; i < arguments.length; i++) { text = text.replace('{' + (i - 1) + '}', arguments[i]); }
  return text;
};

/* A name that comes in both languages. */
TV.name = function (names) { return names ? names[TV.lang] || names.zh : ''; };

/* Times of day in Asia/Shanghai, which has no summer time, whatever zone the machine believes in. */
TV.wall = function (ms) { return new Date(ms + 8 * 3600000); };
TV.two = function (n) { return (n < 10 ? '0' : '') + n; };
TV.hhmm = function (ms) { var d = TV.wall(ms); return TV.two(d.getUTCHours()) + ':' + TV.two(d.getUTCMinutes()); };
/* A time to come: with its day, when that is not today. */
TV.when = function (ms) {
  var day = function (at) { return Math.floor((at + 8 * 3600000) / 86400000); }, now = TV.now();
  return (now !== null && day(ms) > day(now) ? TV.say('tomorrow') + ' ' : '') + TV.hhmm(ms);
};
TV.dateText = function (ms) {
  var d = TV.wall(ms);
  return TV.say('date', d.getUTCMonth() + 1, d.getUTCDate(), TV.say('weekdays')[d.getUTCDay()]);
};
TV.shortDate = function (ms) { var d = TV.wall(ms); return TV.say('short_date', d.getUTCMonth() + 1, d.getUTCDate()); };
TV.span = function (ms) {
  var s = Math.max(0, Math.round(ms / 1000));
  return Math.floor(s / 60) + ':' + TV.two(s % 60);
};
TV.length = function (ms) { return ms < 90000 ? TV.span(ms) : Math.round(ms / 60000) + ' ' + TV.say('minutes'); };
