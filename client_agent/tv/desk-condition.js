/* 存储与线路: is everything here for tonight, and if not, why, in words for somebody who is no technician. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el;
  TV.words({
    condition: '存储与线路', condition_about: '今晚的节目存好没有，硬盘和网络怎样', keys_desk: '返回 站务',
    condition_good: '一切正常', condition_ready: '未来一天的 {0} 个节目都已存好，断网也能播', condition_some: '未来一天的节目：已存好 {0} / {1}',
    condition_none: '未来一天没有安排节目', condition_missing: '还缺的节目', condition_more: '……还有 {0} 个',
    condition_programmes: '可点播的节目', condition_count: '{0} 个，共 {1}', condition_disk: '硬盘', condition_free: '剩 {0}（共 {1}）',
    condition_heard: '上次收到省里的安排', condition_line: '网络', condition_speed: '下载约 {0} Mbit/s', condition_speed_unknown: '还没有测过',
    condition_hours: '允许下载的钟点', condition_all_day: '全天', condition_span: '{0}:00 – {1}:00', condition_month: '本月流量', condition_of: '{0} / {1}',
    condition_closed: '现在不下载，{0} 开始', condition_to_report: '还没报上去的记录', condition_records: '{0} 条', condition_never: '还没有收到过',
    trouble_refused: '{0} 个内容和省里签发的不一致，已拒绝播出：请告诉县里', trouble_short: '硬盘放不下要播的节目，还差 {0}：请技术员换大硬盘',
    trouble_full: '硬盘快满了，新节目放不下：请技术员换大硬盘', trouble_clock: '还没跟省里对上时间：接上网等几分钟',
    trouble_never_heard: '还没有收到过节目安排：请看网线插好没有', trouble_not_heard: '{0} 天没有收到省里的消息：请看网线插好没有',
    trouble_missing: '未来一天的节目还有 {0} 个没下载完：会自动下载，不用管；常这样就告诉县里'
  }, {
    condition: 'Storage and line', condition_about: 'Is everything here for tonight?', keys_desk: 'Back to the desk',
    condition_good: 'All is well', condition_ready: 'All {0} programmes of the next day are stored: they play without a network', condition_some: 'Programmes of the next day stored: {0} of {1}',
    condition_none: 'Nothing is planned for the next day', condition_missing: 'Still missing', condition_more: '… and {0} more',
    condition_programmes: 'To choose from', condition_count: '{0} programmes, {1}', condition_disk: 'Disk', condition_free: '{0} free of {1}',
    condition_heard: 'Last heard from the province', condition_line: 'Line', condition_speed: 'about {0} Mbit/s', condition_speed_unknown: 'never measured',
    condition_hours: 'Hours for downloads', condition_all_day: 'all day', condition_span: '{0}:00 – {1}:00', condition_month: 'Data this month', condition_of: '{0} of {1}',
    condition_closed: 'No downloads now; from {0}', condition_to_report: 'Records not yet sent', condition_records: '{0}', condition_never: 'never',
    trouble_refused: '{0} items differ from what the province signed and are refused: tell the county', trouble_short: 'What is to air does not fit, {0} short: a larger disk is needed',
    trouble_full: 'The disk is nearly full: new programmes do not fit', trouble_clock: 'The clock is not set yet: connect the network and wait some minutes',
    trouble_never_heard: 'No schedule has ever arrived: look at the network cable', trouble_not_heard: 'Nothing heard from the province for {0} days: look at the network cable',
    trouble_missing: 'Of the next day’s programmes {0} are not here yet: they come by themselves; if it happens often, tell the county'
  });
  var MOST = 5;

  function ready(told) {
    if (!told.wanted) { return TV.say('condition_none'); }
    var missing = told.missing.length;
    return missing ? TV.say('condition_some', told.wanted - missing, told.wanted) : TV.say('condition_ready', told.wanted);
  }
  function lines(told) {
    var line = told.line, hours = line.from_hour === 0 && line.to_hour === 24;
    return [
      Desk.line(TV.say('condition_programmes'), TV.say('condition_count', told.programmes, Desk.size(told.bytes))),
      Desk.line(TV.say('condition_disk'), TV.say('condition_free', Desk.size(told.disk.free), Desk.size(told.disk.total))),
      Desk.line(TV.say('condition_heard'), told.heard_ms === null ? TV.say('condition_never') : TV.dateText(told.heard_ms) + ' ' + TV.hhmm(told.heard_ms)),
      Desk.line(TV.say('condition_line'), line.bps ? TV.say('condition_speed', (line.bps / 1e6).toFixed(1)) : TV.say('condition_speed_unknown')),
      Desk.line(TV.say('condition_hours'), line.closed_until_ms !== null ? TV.say('condition_closed', TV.when(line.closed_until_ms))
        : hours ? TV.say('condition_all_day') : TV.say('condition_span', line.from_hour, line.to_hour)),
      Desk.line(TV.say('condition_month'), line.cap_bytes ? TV.say('condition_of', Desk.size(line.month_bytes), Desk.size(line.cap_bytes)) : Desk.size(line.month_bytes)),
      Desk.line(TV.say('condition_to_report'), TV.say('condition_records', told.to_report))
    ];
  }
  function trouble(one) { return TV.say('trouble_' + one.what, one.what === 'short' ? Desk.size(one.n) : one.n); }

  Desk.add({
    name: 'condition', order: 60, title: 'condition', about: 'condition_about', load: '/api/desk/condition', footer: 'keys_desk',
    icon: 'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zm0 0v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
    draw: function (main, told) {
      if (!told) { return []; }
      var left = el('div', 'desk-half'), right = el('div', 'desk-half'), good = !told.troubles.length;
      left.appendChild(el('p', 'desk-verdict ' + (good ? 'good' : 'poor'), good ? '✓ ' + TV.say('condition_good') : trouble(told.troubles[0])));
      told.troubles.slice(1).forEach(function (one) { left.appendChild(el('p', 'desk-also', trouble(one))); });
      left.appendChild(el('p', 'desk-also', ready(told)));
      if (told.missing.length) {
        left.appendChild(el('h2', '', TV.say('condition_missing')));
        told.missing.slice(0, MOST).forEach(function (one) { left.appendChild(Desk.line(one.title, TV.when(one.starts_ms))); });
        if (told.missing.length > MOST) { left.appendChild(el('p', 'desk-also', TV.say('condition_more', told.missing.length - MOST))); }
      }
      lines(told).forEach(function (line) { right.appendChild(line); });
      main.appendChild(el('div', 'desk-halves', null, left, right));
      return [];
    }
  });
}());
