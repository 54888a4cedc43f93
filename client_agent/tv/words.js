/* Every word of the page, Chinese first. */
var TV = {};

TV.WORDS = {
  zh: {
    home: '首页', listing: '节目单', library: '点播', settings: '设置',
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
    keys_play: '◀ ▶ 快退快进　　OK 暂停　　返回',
    paused: '暂停', replay: '回看', language: '语言 Language', language_now: '中文', captions: '字幕', text_size: '文字大小',
    on: '开', off: '关', size_normal: '标准', size_big: '大字', about: '本站', program: '程序版本', clock_state: '时间',
    clock_known: '准确', clock_held: '断电后沿用', clock_uncertain: '未校准',
    empty_library: '还没有可以点播的节目。', empty_library_how: '省台发布的节目下载到本站以后，会按板块排在这里。',
    empty_listing: '这一天还没有节目安排。', empty_listing_how: '联网收到新的节目单后，会自动显示在这里。',
    weekdays: ['星期日', '星期一', '星期二', '星期三', '星期四', '星期五', '星期六'], date: '{0}月{1}日 {2}'
  },
  en: {
    home: 'Home', listing: 'Listing', library: 'Library', settings: 'Settings',
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
    keys_play: '◀ ▶ skip      OK pause      Back',
    paused: 'Paused', replay: 'Replay', language: '语言 Language', language_now: 'English', captions: 'Captions', text_size: 'Text size',
    on: 'On', off: 'Off', size_normal: 'Normal', size_big: 'Large', about: 'This station', program: 'Version', clock_state: 'Clock',
    clock_known: 'exact', clock_held: 'kept through a power cut', clock_uncertain: 'not set',
    empty_library: 'Nothing to choose from yet.', empty_library_how: 'Programmes the province publishes appear here, shelf by shelf, once they are stored.',
    empty_listing: 'Nothing is planned for this day yet.', empty_listing_how: 'A new listing shows here by itself once it arrives.',
    weekdays: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'], date: '{2} {1}/{0}'
  }
};

TV.lang = 'zh';

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
TV.span = function (ms) {
  var s = Math.max(0, Math.round(ms / 1000));
  return Math.floor(s / 60) + ':' + TV.two(s % 60);
};
TV.length = function (ms) { return ms < 90000 ? TV.span(ms) : Math.round(ms / 60000) + ' ' + TV.say('minutes'); };
