/* 月计划: the month's study days: the county's, as the village moved them, and its own; how each went. And the opening hours. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop, DAY = 86400000, HALF = 1800000;
  TV.words({
    plan: '月计划', plan_about: '本月 {0} 次学习，已办 {1} 次', plan_about_none: '集中学习的安排，可以改期、加一次', keys_plan: '▲ ▼ ◀ ▶ 选择　　OK 改期、撤回　　返回 站务', plan_add: '＋ 加一次学习', plan_empty: '这个月还没有安排学习。', plan_empty_how: '县里排的学习日会自动显示在这里；也可以自己加一次。',
    plan_sum: '共 {0} 次：已办 {1}　没办完 {2}　没办 {3}', plan_own: '本村加的', plan_moved: '原定 {0}（{1}）', plan_county: '县里安排', plan_stored: '节目已存好', plan_lacking: '节目还没下载完', plan_no_programme: '还没有节目',
    day_coming: '待办', day_today: '今天', day_done: '✓ 已办', day_partly: '没办完', day_late: '✓ 补记', day_missed: '没有办',
    plan_what: '这次学习怎么改？', plan_move: '改到别的时间', plan_restore: '撤回改动，照县里的安排', plan_withdraw: '取消这次（本村加的）', plan_when: '改到什么时候？', plan_when_new: '什么时候学？', plan_when_keys: '◀ ▶ 前一天、后一天　　▲ ▼ 早、晚半小时　　OK 就这个时候　　返回 不改了',
    plan_why: '为什么改？', plan_why_add: '为什么加一次？', plan_why_farming: '农忙', plan_why_weather: '天气', plan_why_power: '停电', plan_why_meeting: '会议', plan_why_other: '其他', plan_first: '学什么？', plan_more: '再加一个节目？（已选 {0} 个）', plan_enough: '✓ 就这些',
    plan_noted: '已改好，到时按新时间提示', plan_fixed: '已经办过或过去了，不能改', plan_past: '这个时间已经过去了', plan_far: '只能排到两个月以内', plan_clock: '还没对上时间，暂时不能改', plan_failed: '没有改成，请再试',
    opening: '开放时间', opening_closed: '不开放', opening_about: '每周哪几天、几点到几点开放；和实际开机时间一起显示在收看记录里', opening_from: '{0}　几点开门？', opening_to: '{0}　几点关门？', opening_none: '这一天不开放', keys_opening: '▲ ▼ 选择　　OK 更改　　返回 收看记录', opening_kept: '已记下'
  }, {
    plan: 'Month plan', plan_about: '{0} sessions this month, {1} held', plan_about_none: 'Study days: move one, add one', keys_plan: 'Arrows choose    OK change    Back to the desk', plan_add: '+ Add a session', plan_empty: 'No study day this month yet.', plan_empty_how: 'Those the county sets appear here by themselves; the village may add its own.',
    plan_sum: '{0} in all: {1} held, {2} in part, {3} missed', plan_own: 'added here', plan_moved: 'meant for {0} ({1})', plan_county: 'set by the county', plan_stored: 'programmes are here', plan_lacking: 'programmes are still coming', plan_no_programme: 'no programme yet',
    day_coming: 'to come', day_today: 'today', day_done: '✓ held', day_partly: 'in part', day_late: '✓ entered late', day_missed: 'missed',
    plan_what: 'What about this session?', plan_move: 'Move it', plan_restore: 'Take the change back', plan_withdraw: 'Cancel it (added here)', plan_when: 'Move it to when?', plan_when_new: 'When?', plan_when_keys: '◀ ▶ a day    ▲ ▼ half an hour    OK that is it    Back leave',
    plan_why: 'Why?', plan_why_add: 'Why one more?', plan_why_farming: 'farm work', plan_why_weather: 'weather', plan_why_power: 'power cut', plan_why_meeting: 'a meeting', plan_why_other: 'other', plan_first: 'What will be studied?', plan_more: 'One more programme? ({0} so far)', plan_enough: '✓ That is all',
    plan_noted: 'Changed', plan_fixed: 'Held already or past: it stays', plan_past: 'That time is past', plan_far: 'At most two months ahead', plan_clock: 'The clock is not set: not now', plan_failed: 'Not changed; try again',
    opening: 'Opening hours', opening_closed: 'closed', opening_about: 'On which days and from when to when the station is open; shown in the log beside the hours the set was on', opening_from: '{0}: opens at', opening_to: '{0}: closes at', opening_none: 'Closed on this day', keys_opening: '▲ ▼ choose    OK change    Back to the log', opening_kept: 'Noted'
  });
  var REASONS = ['farming', 'weather', 'power', 'meeting', 'other'], MOODS = { done: 'good', late: 'good', missed: 'poor', partly: 'poor', today: 'now' };

  function reasons(title, then) {
    Desk.choose({ title: TV.say(title), options: REASONS.map(function (name) { return { name: name, text: TV.say('plan_why_' + name) }; }), then: then });
  }
  function send(path, what, acts) {
    TV.post(path, what, function (status, answer) {
      var word = (answer && answer.error) || '';
      if (word === 'sign-in') { Desk.need(function () { send(path, what, acts); }); return; }
      TV.toast(TV.say(status === 201 ? 'plan_noted' : { past: 'plan_past', far: 'plan_far', held: 'plan_fixed', day: 'plan_fixed', clock: 'plan_clock' }[word] || 'plan_failed'));
      acts.again();
    });
  }

  /* A day and an hour with the arrows. */
  function askWhen(title, about, start, then) {
    var at = start, layer = Desk.layer({
      className: 'when-ask',
      key: function (key, repeat) {
        if (key === 'back') { if (!repeat) { Desk.leave(layer); } return; }
        if (key === 'ok') { if (!repeat) { Desk.leave(layer); then(at); } return; }
        at += { left: -DAY, right: DAY, up: -HALF, down: HALF }[key];
        if (key === 'up' || key === 'down') { at = Math.round(at / HALF) * HALF; }
        layer.draw();
      },
      draw: function (box) {
        box.appendChild(el('h2', '', title));
        box.appendChild(el('p', 'ask-about', about));
        box.appendChild(el('div', 'when', null, el('i', '', '◀'), el('span', '', null, el('i', '', '▲'), el('b', '', TV.dateText(at)), el('b', 'when-hour', TV.hhmm(at)), el('i', '', '▼')), el('i', '', '▶')));
        box.appendChild(el('small', '', TV.say('plan_when_keys')));
      }
    });
  }
  function change(day, told, acts) {
    if ({ done: 1, partly: 1, late: 1 }[day.state]) { TV.toast(TV.say('plan_fixed')); return; }
    var options = [{ name: 'move', text: TV.say('plan_move') }];
    if (day.changed) { options.push({ name: 'restore', text: TV.say(day.own ? 'plan_withdraw' : 'plan_restore') }); }
    Desk.choose({
      title: TV.say('plan_what'), about: TV.dateText(day.starts_ms) + ' ' + TV.hhmm(day.starts_ms) + '　' + (day.title || day.programmes.join('、')), options: options,
      then: function (name) {
        Desk.need(function () {
          if (name === 'restore') { send('/api/desk/plan/restore', { day: day.id }, acts); return; }
          askWhen(TV.say('plan_when'), TV.dateText(day.starts_ms) + ' ' + TV.hhmm(day.starts_ms), later(day.starts_ms, told.now_ms), function (ms) {
            reasons('plan_why', function (reason) { send('/api/desk/plan/move', { day: day.id, starts_ms: ms, reason: reason }, acts); });
          });
        });
      }
    });
  }
  /* The same hour, not in the past. */
  function later(ms, now) { while (ms <= now) { ms += DAY; } return ms; }
  function addDay(told, acts) {
    var evening = Math.floor((told.now_ms + 8 * 3600000) / DAY) * DAY - 8 * 3600000 + 19 * 3600000;
    askWhen(TV.say('plan_when_new'), '', later(evening, told.now_ms), function (ms) { choose([], ms, acts); });
  }
  function choose(picked, ms, acts) {
    var first = picked.length ? [{ name: '', text: TV.say('plan_enough') }] : [];
    Desk.askProgramme(first, function (release) {
      if (release) { picked = picked.concat([release]); }
      if (release && picked.length < 6) { choose(picked, ms, acts); return; }
      reasons('plan_why_add', function (reason) { send('/api/desk/plan/add', { starts_ms: ms, releases: picked, reason: reason }, acts); });
    }, picked.length ? TV.say('plan_more', picked.length) : TV.say('plan_first'));
  }

  function row(day, told, acts) {
    var how = day.moved_from_ms !== null ? TV.say('plan_moved', TV.dateText(day.moved_from_ms), TV.WORDS[TV.lang]['plan_why_' + day.why] || day.reason) : day.own ? TV.say('plan_own') : TV.say('plan_county');
    var media = { coming: 1, today: 1 }[day.state] ? TV.say(!day.programmes.length ? 'plan_no_programme' : day.stored ? 'plan_stored' : 'plan_lacking') : '';
    return stop('plan-' + day.id, 'plan-day ' + (MOODS[day.state] || ''), function () { change(day, told, acts); },
      [el('b', 'plan-date', null, el('span', '', TV.dateText(day.starts_ms)), el('i', '', TV.hhmm(day.starts_ms) + ' – ' + TV.hhmm(day.ends_ms))),
        el('span', 'plan-what', null, el('b', '', day.title || day.programmes.join('、') || TV.say('plan_no_programme')), el('i', day.moved_from_ms !== null ? 'late' : '', [how, day.title ? day.programmes.join('、') : '', media].filter(Boolean).join('　'))),
        el('em', 'plan-state', TV.say('day_' + day.state))]);
  }
  var page = {
    name: 'plan', order: 30, title: 'plan', load: '/api/desk/plan', footer: 'keys_plan',
    about: function (told) { var plan = told && told.plan; return plan && plan.days ? TV.say('plan_about', plan.days, plan.done) : TV.say('plan_about_none'); },
    icon: 'M5 5h14a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM4 10h16M8 3v4M16 3v4M9 15l2 2 4-4',
    draw: function (main, told, acts) {
      if (!told) { return []; }
      function go(month) { return function () { page.load = '/api/desk/plan?month=' + month; acts.again(); }; }
      var top = [['before', TV.say('log_before'), go(told.before)], ['after', TV.say('log_after'), go(told.after)], ['add', TV.say('plan_add'), function () { Desk.need(function () { addDay(told, acts); }); }]].map(function (one) {
        return stop('plan-' + one[0], 'button plain small', one[2], [el('span', '', one[1])]);
      });
      var bar = el('div', 'log-top'), list = el('div', 'scroll'), sum = told.sum;
      main.appendChild(el('span', 'log-month', Desk.monthText(told.month)));
      top.forEach(function (one) { bar.appendChild(one); });
      main.appendChild(bar);
      if (!told.days.length) { main.appendChild(Views.empty('plan_empty', 'plan_empty_how')); return [top]; }
      main.appendChild(el('p', 'log-sum', null, el('b', '', TV.say('plan_sum', told.days.length, sum.done + sum.late, sum.partly, sum.missed))));
      var rows = told.days.map(function (day) { var made = row(day, told, acts); list.appendChild(made); return [made]; });
      main.appendChild(el('div', 'scroll-window under-sum', null, list));
      var next = 0;
      while (next < rows.length - 1 && !{ today: 1, coming: 1 }[told.days[next].state]) { next++; }
      top.start = 2 + next;
      return [top].concat(rows);
    }
  };
  Desk.add(page);

  /* --- opening hours --- */
  function weekday(index) { return TV.say('weekdays')[(index + 1) % 7]; }
  function hours(from, to) {
    var out = [], minute;
    for (minute = from; minute <= to; minute += 30) { out.push({ name: String(minute), text: Desk.clockText(minute) }); }
    return out;
  }
  function setDay(index, told, acts) {
    var before = told.days[index];
    Desk.choose({
      title: TV.say('opening_from', weekday(index)), columns: 6, value: before ? String(before[0]) : '1140', options: [{ name: '', text: TV.say('opening_none') }].concat(hours(360, 1380)),
      then: function (from) {
        if (!from) { keep(index, null, told, acts); return; }
        var first = parseInt(from, 10);
        Desk.choose({ title: TV.say('opening_to', weekday(index)), columns: 6, value: before ? String(before[1]) : String(Math.min(1440, first + 120)), options: hours(first + 30, 1440), then: function (to) { keep(index, [first, parseInt(to, 10)], told, acts); } });
      }
    });
  }
  function keep(index, span, told, acts) {
    var days = told.days.slice();
    days[index] = span;
    TV.post('/api/desk/opening', { days: days }, function (status, answer) {
      if (answer && answer.error === 'sign-in') { Desk.need(function () { keep(index, span, told, acts); }); return; }
      TV.toast(TV.say(status === 201 ? 'opening_kept' : 'plan_failed'));
      acts.again();
    });
  }
  Desk.add({
    name: 'opening', order: 999, hidden: true, title: 'opening', load: '/api/desk/opening', footer: 'keys_opening', icon: '',
    back: function (acts) { acts.desk('logbook'); return true; },
    draw: function (main, told, acts) {
      if (!told) { return []; }
      var list = el('div', 'settings');
      main.appendChild(el('p', 'desk-also', TV.say('opening_about')));
      var rows = told.days.map(function (span, index) {
        var made = stop('opening-' + index, 'setting', function () { Desk.need(function () { setDay(index, told, acts); }); },
          [el('span', '', weekday(index)), el('b', '', span ? Desk.clockText(span[0]) + ' – ' + Desk.clockText(span[1]) : TV.say('opening_closed'))]);
        list.appendChild(made);
        return [made];
      });
      main.appendChild(list);
      return rows;
    }
  });
}());
