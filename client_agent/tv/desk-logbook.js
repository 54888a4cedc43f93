/* 收看记录: a month day by day, a day with its entries, and late entries 迟录 about them (amber). What really played is never
   changed; whoever knows better adds a line. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    logbook: '收看记录', log_about: '本月集中学习 {0} 次，收看 {1}', log_about_none: '播过什么自动记在这里', keys_log: '▲ ▼ ◀ ▶ 选择　　OK 打开　　返回 站务', keys_day: '▲ ▼ 选择　　OK 更正、备注　　返回 本月',
    log_month: '{0}年{1}月', log_before: '◀ 上月', log_after: '下月 ▶', log_check: '核对（{0} 条）', log_add: '补记一次学习', log_hours: '开放时间', log_empty: '这个月还没有记录。', log_empty_how: '看过的节目、办过的学习会自动记下来，不用填。',
    log_sum: '集中学习 {0} 次　{1}　共 {2} 人次', log_sum_played: '播放共 {0}', log_sum_late: '迟录 {0} 条', log_group: '集中学习', log_self: '非集中', log_heads: '实到 {0} / 应到 {1}', log_heads_only: '实到 {0}', log_no_heads: '没有点名',
    log_members: '其中党员 {0}', log_other: '自选 {0} 个', log_open: '开机 {0}', log_plan: '计划 {0}–{1}', log_hm: '{0} 小时 {1} 分', log_h: '{0} 小时', log_m: '{0} 分', log_by: '组织 {0}', log_nobody: '未登录', log_auto: '自动', log_manual: '手工补记', log_late: '迟录', log_checked: '{0} 已核对', log_unchecked: '未核对', log_void: '不算', log_uncertain: '时间不确定', log_broken: '中断 {0} 次', log_early: '提前结束', log_talk: '讨论 {0}',
    log_glances: '另有 {0} 个节目只看了不到一分钟', log_between: '间隙短片 {0}', log_number: '{0} 号',
    log_what: '这条记录怎么了？', log_fix_heads: '更正人数', log_remark: '记一个主要问题', log_make_void: '这次不算（试机、按错）', log_why: '为什么要改？', log_expected: '应到多少人？', log_present: '实到多少人？', log_members_ask: '其中党员多少人？', log_members_about: '不清楚就填 0',
    log_noted: '已迟录，原来的记录不变', log_failed: '没有记上，请再试', log_nothing: '没有新的要核对', log_done_check: '已核对',
    why_miscounted: '数错了', why_came_later: '后来又来了人', why_not_called: '当时没点名', why_trial: '试机', why_wrong_key: '按错了', why_nobody: '没有人看', why_other: '其他', why_power_cut: '停电', why_box_broken: '盒子或电视坏了', why_disc: '用光盘、别的设备学的', why_elsewhere: '在别的地方学的', why_remark: '备注',
    remark_hard: '听不懂', remark_long: '太长', remark_again: '想再看一遍', remark_expert: '想请专家来讲', remark_set: '设备有毛病', remark_few: '来的人少', remark_good: '没有问题，效果好',
    log_which_day: '补记哪一天？', log_hour: '几点开始的？', log_length: '学了多久？', log_programme: '学的是什么？', log_no_programme: '不是本站的节目（纸质、会议）', log_reason: '为什么没有自动记录？',
    event_person: '{0} 设了管理员 {1}', event_pin: '{0} 改了 {1} 的密码', event_handed_over: '{1} 接手（{0} 办理交接）', event_plan_move: '{0} 把学习改到 {2}（{3}）', event_plan_add: '{0} 加了一次学习：{2}', event_plan_restore: '{0} 撤回了计划的改动：{2}', event_opening: '{0} 改了开放时间',
    said_opinion: '意见：{0}', said_question: '问题：{0}', tested_good: '自检：都正常', tested_poor: '自检：有 {0} 项不对'
  }, {
    logbook: 'Station log', log_about: '{0} study sessions this month, {1} watched', log_about_none: 'What played is written here by itself', keys_log: 'Arrows choose    OK open    Back to the desk', keys_day: '▲ ▼ choose    OK correct or remark    Back to the month',
    log_month: '{1}/{0}', log_before: '◀ Before', log_after: 'After ▶', log_check: 'Check ({0})', log_add: 'Late session', log_hours: 'Opening hours', log_empty: 'Nothing this month yet.', log_empty_how: 'What was watched and studied is written down by itself.',
    log_sum: '{0} study sessions, {1}, {2} people in all', log_sum_played: '{0} played', log_sum_late: '{0} late entries', log_group: 'Study', log_self: 'Chosen', log_heads: '{0} of {1} came', log_heads_only: '{0} came', log_no_heads: 'nobody counted',
    log_members: '{0} members', log_other: '{0} chosen', log_open: 'On for {0}', log_plan: 'plan {0}–{1}', log_hm: '{0} h {1} min', log_h: '{0} h', log_m: '{0} min', log_by: 'Led by {0}', log_nobody: 'not signed in', log_auto: 'Automatic', log_manual: 'By hand', log_late: 'Late entry', log_checked: 'checked by {0}', log_unchecked: 'unchecked', log_void: 'does not count', log_uncertain: 'time uncertain', log_broken: 'broken off {0}×', log_early: 'ended early', log_talk: 'talk {0}',
    log_glances: '{0} more were watched for less than a minute', log_between: 'short films {0}', log_number: 'No. {0}',
    log_what: 'What about this entry?', log_fix_heads: 'Correct the heads', log_remark: 'Note the main problem', log_make_void: 'It does not count (trial, wrong key)', log_why: 'Why the change?', log_expected: 'How many were expected?', log_present: 'How many were present?', log_members_ask: 'How many of them party members?', log_members_about: '0 if unknown',
    log_noted: 'Entered late; the entry itself stays', log_failed: 'Not written; try again', log_nothing: 'Nothing new to check', log_done_check: 'Checked',
    why_miscounted: 'miscounted', why_came_later: 'more came later', why_not_called: 'no roll was called', why_trial: 'a trial', why_wrong_key: 'a wrong key', why_nobody: 'nobody watched', why_other: 'other', why_power_cut: 'power cut', why_box_broken: 'box or set broken', why_disc: 'from a disc or another device', why_elsewhere: 'held elsewhere', why_remark: 'remark',
    remark_hard: 'hard to follow', remark_long: 'too long', remark_again: 'to be seen again', remark_expert: 'an expert is wanted', remark_set: 'the set has a fault', remark_few: 'few came', remark_good: 'no problem, went well',
    log_which_day: 'Which day?', log_hour: 'Begun at what hour?', log_length: 'How long?', log_programme: 'What was studied?', log_no_programme: 'No programme of this station (paper, meeting)', log_reason: 'Why is there no record?',
    event_person: '{0} set up {1}', event_pin: '{0} changed the PIN of {1}', event_handed_over: '{1} took over (by {0})', event_plan_move: '{0} moved a session to {2} ({3})', event_plan_add: '{0} added a session: {2}', event_plan_restore: '{0} took a change back: {2}', event_opening: '{0} changed the opening hours',
    said_opinion: 'Opinion: {0}', said_question: 'Question: {0}', tested_good: 'Self-test: all right', tested_poor: 'Self-test: {0} wrong'
  });
  var chosenDay = '';
  /* One day, or the month. */
  function show(day) { chosenDay = day; page.footer = day ? 'keys_day' : 'keys_log'; }
  function minutesText(ms) {
    var all = Math.round(ms / 60000), hours = Math.floor(all / 60);
    return !hours ? TV.say('log_m', all) : all % 60 ? TV.say('log_hm', hours, all % 60) : TV.say('log_h', hours);
  }
  Desk.minutesText = minutesText;
  Desk.monthText = function (month) { return TV.say('log_month', month.slice(0, 4), parseInt(month.slice(5), 10)); };
  function clockText(minute) { return TV.two(Math.floor(minute / 60)) + ':' + TV.two(minute % 60); }
  Desk.clockText = clockText;
  function by(post) { return post || TV.say('log_nobody'); }

  /* Whole, or the two numbers alone. */
  function headsText(heads, alone) {
    if (!heads) { return TV.say('log_no_heads'); }
    var text = heads.expected ? TV.say('log_heads', heads.present, heads.expected) : TV.say('log_heads_only', heads.present);
    return heads.members && !alone ? text + '　' + TV.say('log_members', heads.members) : text;
  }
  function isLate(entry) { return entry.manual || entry.lates.length > 0; }

  /* --- a month --- */
  function dayRow(day, acts) {
    var studies = day.entries.filter(function (one) { return one.kind === 'study' && !one.void; }), others = day.entries.filter(function (one) { return one.kind !== 'study' && !one.void; });
    var what = el('span', 'log-what'), late = day.entries.some(isLate);
    studies.forEach(function (one) { what.appendChild(el('b', isLate(one) ? 'late' : '', TV.say('log_group') + '　' + headsText(one.heads, true))); });
    if (day.entries.length && !studies.length && !others.length) { what.appendChild(el('i', '', TV.say('log_void'))); }
    if (others.length) { what.appendChild(el('i', '', TV.say('log_other', others.length))); }
    var open = el('span', 'log-open', null, el('i', '', day.open_ms ? TV.say('log_open', minutesText(day.open_ms)) : ''), el('i', '', day.plan ? TV.say('log_plan', clockText(day.plan[0]), clockText(day.plan[1])) : ''));
    return stop('log-' + day.day, 'log-row', function () { show(day.day); acts.redraw('entry-0'); },
      [el('b', 'log-date', TV.dateText(day.start_ms)), what, late ? el('em', 'tag late', TV.say('log_late')) : null, open, el('span', 'log-played', day.played_ms ? minutesText(day.played_ms) : '')]);
  }
  function months(told, acts) {
    var at = told.months.indexOf(told.month), row = [];
    function go(month) { return function () { page.load = '/api/desk/log?month=' + month; acts.again(); }; }
    function add(name, text, act) { row.push(stop('log-' + name, 'button plain small', act, [el('span', '', text)])); }
    if (at >= 0 && at < told.months.length - 1) { add('before', TV.say('log_before'), go(told.months[at + 1])); }
    if (at > 0) { add('after', TV.say('log_after'), go(told.months[at - 1])); }
    if (told.unchecked) { add('check', TV.say('log_check', told.unchecked), function () { Desk.need(function () { check(acts); }); }); }
    add('add', TV.say('log_add'), function () { Desk.need(function () { addLate(acts); }); });
    add('hours', TV.say('log_hours'), function () { acts.desk('opening'); });
    return row;
  }
  function check(acts) {
    TV.post('/api/desk/log/check', {}, function (status, answer) {
      TV.toast(TV.say(status !== 201 ? 'log_failed' : answer.n ? 'log_done_check' : 'log_nothing'));
      acts.again();
    });
  }
  function drawMonth(main, told, acts) {
    var top = months(told, acts), sum = told.sum, list = el('div', 'scroll'), bar = el('div', 'log-top');
    main.appendChild(el('span', 'log-month', Desk.monthText(told.month)));
    top.forEach(function (one) { bar.appendChild(one); });
    main.appendChild(bar);
    main.appendChild(el('p', 'log-sum', null, el('b', '', TV.say('log_sum', sum.studies, minutesText(sum.study_ms), sum.present)), el('span', '', TV.say('log_sum_played', minutesText(sum.played_ms))),
      sum.late ? el('em', 'late', TV.say('log_sum_late', sum.late)) : null));
    if (!told.days.length) { main.appendChild(Views.empty('log_empty', 'log_empty_how')); return [top]; }
    var rows = told.days.map(function (day) { var made = dayRow(day, acts); list.appendChild(made); return [made]; });
    main.appendChild(el('div', 'scroll-window under-sum', null, list));
    top.start = 2;
    return [top].concat(rows);
  }

  /* --- a day --- */
  function remarkText(text) { var found = TV.WORDS[TV.lang]['remark_' + text]; return found || text; }
  function lateLine(one) {
    var text = TV.say('log_late') + '　' + TV.dateText(one.at_ms).split(' ')[TV.lang === 'zh' ? 0 : 1] + ' ' + TV.hhmm(one.at_ms) + '　' + by(one.by) + '　' + (TV.WORDS[TV.lang]['why_' + one.reason] || one.reason);
    return text + (one.heads ? '　→ ' + headsText(one.heads) : '') + (one.text ? '　' + remarkText(one.text) : '') + (one.void ? '　→ ' + TV.say('log_void') : '');
  }
  function entryRow(entry, index, acts) {
    var study = entry.kind === 'study', text = el('div', 'entry-text'), titles = el('div', 'entry-titles'), tags = el('div', 'entry-tags');
    entry.programmes.forEach(function (one) {
      titles.appendChild(el('span', '', null, el('b', '', one.title), el('i', '', [one.number ? TV.say('log_number', one.number) : '', TV.name(one.section_names), one.played_ms ? minutesText(one.played_ms) : ''].filter(Boolean).join('　'))));
    });
    if (!entry.programmes.length) { titles.appendChild(el('span', '', null, el('b', '', entry.title || TV.say('log_no_programme')))); }
    text.appendChild(titles);
    var more = [study ? headsText(entry.heads) : '', study || entry.by ? TV.say('log_by', by(entry.by)) : '', entry.discussion_ms ? TV.say('log_talk', minutesText(entry.discussion_ms)) : '', entry.broken ? TV.say('log_broken', entry.broken) : '', study && !entry.completed ? TV.say('log_early') : ''];
    text.appendChild(el('div', 'entry-more', more.filter(Boolean).join('　')));
    entry.minutes.forEach(function (one) { text.appendChild(el('div', 'entry-more', one)); });
    entry.lates.forEach(function (one) { text.appendChild(el('div', 'late', lateLine(one))); });
    if (entry.manual) { text.appendChild(el('div', 'late', TV.say('log_late') + '　' + by(entry.by) + '　' + (TV.WORDS[TV.lang]['why_' + entry.reason] || ''))); }
    tags.appendChild(el('em', 'tag' + (study ? ' red' : ''), TV.say(study ? 'log_group' : 'log_self')));
    tags.appendChild(el('em', 'tag quiet', TV.say(entry.manual ? 'log_manual' : 'log_auto')));
    if (entry.clock === 'uncertain') { tags.appendChild(el('em', 'tag late', TV.say('log_uncertain'))); }
    if (entry.void) { tags.appendChild(el('em', 'tag late', TV.say('log_void'))); }
    tags.appendChild(el('em', 'tag quiet', entry.checked ? '✓ ' + TV.say('log_checked', entry.checked) : TV.say('log_unchecked')));
    return stop('entry-' + index, 'entry' + (entry.void ? ' void' : ''), function () { correct(entry, acts); },
      [el('b', 'entry-time', TV.hhmm(entry.from_ms) + '–' + TV.hhmm(entry.to_ms)), text, tags]);
  }
  function otherText(one) {
    if (one.kind === 'said') { return TV.say(one.mode === 'question' ? 'said_question' : 'said_opinion', one.text.split('\n').join('　')); }
    if (one.kind === 'self_test') { return one.completed ? TV.say('tested_good') : TV.say('tested_poor', one.text.split(' ').length); }
    var word = 'event_' + one.reason.replace(/-/g, '_'), why = one.text ? TV.WORDS[TV.lang]['plan_why_' + one.text] || '' : '';
    return TV.WORDS[TV.lang][word] ? TV.say(word, by(one.by), one.title, TV.dateText(one.at_ms) + ' ' + TV.hhmm(one.at_ms), why) : '';
  }
  function drawDay(main, told, day, acts) {
    var list = el('div', 'scroll'), rows = [];
    main.appendChild(el('span', 'log-month', TV.dateText(day.start_ms)));
    day.entries.forEach(function (entry, index) { var made = entryRow(entry, index, acts); list.appendChild(made); rows.push([made]); });
    var rest = [day.open_ms ? TV.say('log_open', minutesText(day.open_ms)) : '', day.between_ms ? TV.say('log_between', minutesText(day.between_ms)) : '', day.glances ? TV.say('log_glances', day.glances) : ''].filter(Boolean);
    if (rest.length) { list.appendChild(el('p', 'entry-rest', rest.join('　'))); }
    day.others.forEach(function (one) { list.appendChild(el('p', 'entry-rest', TV.hhmm(one.at_ms) + '　' + otherText(one))); });
    main.appendChild(el('div', 'scroll-window under-title', null, list));
    if (!rows.length) { var only = stop('entry-0', 'button plain small', function () { show(''); acts.redraw('log-' + day.day); }, [el('span', '', TV.say('keys_day').split('　').pop())]); main.appendChild(el('div', 'log-top', null, only)); rows.push([only]); }
    return rows;
  }

  /* --- late entries --- */
  function words(names) { return names.map(function (name) { return { name: name, text: TV.say('why_' + name) }; }); }
  function send(path, what, acts) {
    TV.post(path, what, function (status, answer) {
      if (status === 403 && answer && answer.error === 'sign-in') { Desk.need(function () { send(path, what, acts); }); return; }
      TV.toast(TV.say(status === 201 ? 'log_noted' : 'log_failed'));
      acts.again();
    });
  }
  function correct(entry, acts) {
    var options = [{ name: 'void', text: TV.say('log_make_void') }];
    if (entry.kind === 'study') { options = [{ name: 'heads', text: TV.say('log_fix_heads') }, { name: 'remark', text: TV.say('log_remark') }].concat(options); }
    Desk.choose({
      title: TV.say('log_what'), about: TV.hhmm(entry.from_ms) + '　' + (entry.programmes[0] ? entry.programmes[0].title : entry.title), options: options,
      then: function (name) { Desk.need(function () { ({ heads: fixHeads, remark: remark, void: makeVoid })[name](entry, acts); }); }
    });
  }
  function askHeads(before, then) {
    Desk.pad({
      title: TV.say('log_expected'), value: before && before.expected ? String(before.expected) : '', max: 4, min: 0,
      then: function (expected) {
        Desk.pad({
          title: TV.say('log_present'), value: before ? String(before.present) : '', max: 4,
          then: function (present) {
            Desk.pad({
              title: TV.say('log_members_ask'), about: TV.say('log_members_about'), value: before && before.members ? String(before.members) : '0', max: 4,
              then: function (members) { then({ expected: parseInt(expected || '0', 10), present: parseInt(present, 10), members: Math.min(parseInt(members, 10), parseInt(present, 10)) }); }
            });
          }
        });
      }
    });
  }
  function fixHeads(entry, acts) {
    askHeads(entry.heads, function (heads) {
      Desk.choose({
        title: TV.say('log_why'), options: words(['miscounted', 'came_later', 'not_called', 'other']),
        then: function (reason) { send('/api/desk/log/late', { about: entry.n, reason: reason, heads: heads }, acts); }
      });
    });
  }
  function remark(entry, acts) {
    Desk.choose({
      title: TV.say('log_remark'), options: ['good', 'hard', 'long', 'again', 'expert', 'set', 'few'].map(function (name) { return { name: name, text: TV.say('remark_' + name) }; }),
      then: function (name) { send('/api/desk/log/late', { about: entry.n, reason: 'remark', remark: name }, acts); }
    });
  }
  function makeVoid(entry, acts) {
    Desk.choose({
      title: TV.say('log_why'), options: words(['trial', 'wrong_key', 'nobody', 'other']),
      then: function (reason) { send('/api/desk/log/late', { about: entry.n, reason: reason, void: true }, acts); }
    });
  }
  function iso(ms) { var d = TV.wall(ms); return d.getUTCFullYear() + '-' + TV.two(d.getUTCMonth() + 1) + '-' + TV.two(d.getUTCDate()); }
  function addLate(acts) {
    var now = TV.now();
    if (now === null) { TV.toast(TV.say('log_failed')); return; }
    var days = [], i;
    for (i = 0; i < 42; i++) { days.push({ name: iso(now - i * 86400000), text: TV.dateText(now - i * 86400000) }); }
    Desk.choose({ title: TV.say('log_which_day'), options: days, columns: 4, then: function (day) { askHour(day, acts); } });
  }
  function askHour(day, acts) {
    var hours = [], minute;
    for (minute = 7 * 60; minute < 22 * 60; minute += 30) { hours.push({ name: String(minute), text: clockText(minute) }); }
    Desk.choose({
      title: TV.say('log_hour'), options: hours, columns: 6, value: String(19 * 60),
      then: function (from) {
        Desk.choose({
          title: TV.say('log_length'), columns: 4, value: '90', options: [30, 45, 60, 90, 120, 150, 180, 240].map(function (one) { return { name: String(one), text: minutesText(one * 60000) }; }),
          then: function (length) { Desk.askProgramme([{ name: '', text: TV.say('log_no_programme') }], function (release) { lastSteps({ day: day, from_minute: parseInt(from, 10), minutes: parseInt(length, 10) }, release, acts); }); }
        });
      }
    });
  }
  function lastSteps(what, release, acts) {
    if (release) { what.release = release; }
    askHeads(null, function (heads) {
      what.heads = heads;
      Desk.choose({
        title: TV.say('log_reason'), options: words(['power_cut', 'box_broken', 'disc', 'elsewhere', 'other']),
        then: function (reason) { what.reason = reason; send('/api/desk/log/sessions', what, acts); }
      });
    });
  }
  /* One programme of the library; what stands first in the list. */
  Desk.askProgramme = function (first, then, title) {
    TV.get('/api/library', function (status, library) {
      var options = first.slice();
      ((status === 200 && library.sections) || []).forEach(function (section) {
        section.programmes.forEach(function (one) { options.push({ name: one.release, text: one.title, small: (one.number ? TV.say('log_number', one.number) + '　' : '') + TV.name(section.names) }); });
      });
      Desk.choose({ title: title || TV.say('log_programme'), options: options, then: then });
    });
  };

  var page = {
    name: 'logbook', order: 20, title: 'logbook', load: '/api/desk/log', footer: 'keys_log',
    about: function (told) { var log = told && told.logbook; return log && (log.studies || log.played_ms) ? TV.say('log_about', log.studies, minutesText(log.played_ms)) : TV.say('log_about_none'); },
    icon: 'M6 3h11a2 2 0 0 1 2 2v16H7a2 2 0 0 1-2-2V4a1 1 0 0 1 1-1zm0 14h13M9 7h7M9 11h7',
    back: function (acts) {
      if (!chosenDay) { page.load = '/api/desk/log'; return false; }
      var day = chosenDay;
      show('');
      acts.redraw('log-' + day);
      return true;
    },
    draw: function (main, told, acts) {
      if (!told) { return []; }
      var day = told.days.filter(function (one) { return one.day === chosenDay; })[0];
      if (!day) { show(''); }
      return day ? drawDay(main, told, day, acts) : drawMonth(main, told, acts);
    }
  };
  Desk.add(page);
}());
